"""The first event of a run on CloudFlow, with the code that the run is driven by."""

from __future__ import annotations

import linecache
import time
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Final

from nbflow.core import payload
from nbflow.core.capture import Captured
from nbflow.core.definition import definition
from nbflow.core.errors import Unserialisable
from nbflow.core.events import RunStarted
from nbflow.core.payload import Packed, pack, spill
from nbflow.core.recorded import python
from nbflow.core.redact import holds_secret, redact
from nbflow.core.secret import known_values
from nbflow.engine.around import Middlewares
from nbflow.services.cloudflow.client.errors import Invalid

_NOTHING: Final = Middlewares()
_GIVEN: Final = "GIVEN:"


def first_event(
    frozen: Captured,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    run: str,
    tags: tuple[str, ...],
    put: Callable[[bytes], str],
    around: Middlewares = _NOTHING,
) -> RunStarted:
    """Make the first event of a run.

    Args:
        frozen: The workflow.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        run: What the run is called.
        tags: Words that it is found by.
        put: Keeps the bytes of large values.
        around: What is called around each attempt, wherever that runs.

    Raises:
        Invalid: The code cannot be sent; the message names what stands in the way.
        Unserialisable: An argument cannot be stored.
    """
    name = frozen.definition.name

    def stored(value: object, which: object) -> Any:
        return spill(pack(value, f"argument {which} of {name}"), put)

    return RunStarted(
        seq=1,
        at=time.time(),
        workflow=name,
        args=tuple(stored(value, n) for n, value in enumerate(args)),
        kwargs={key: stored(value, key) for key, value in kwargs.items()},
        on="cloudflow",
        code=frozen.code,
        source=redact(frozen.source),
        captured=frozen.names,
        seed=run,
        tags=tags,
        program=spill(Packed("pickle", _program(frozen, around)), put),
        python=python(),
    )


def check_secrets(frozen: Captured, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """See that processes that this one does not start can have all the secrets of a run.

    Raises:
        Invalid: One is known in this process only.
        Unserialisable: Something cannot be sent.
    """
    given = [reference for reference, _ in known_values() if reference.startswith(_GIVEN)]
    if not given or not payload.pickles_allowed():
        return
    name = frozen.definition.name
    data = payload.dumps((frozen.target, args, dict(kwargs)), f"what {name} is started with")
    found = [text.removeprefix(_GIVEN) for text in given if text.encode() in data]
    if found:
        raise Invalid(
            f"{name} takes the secret {', '.join(found)}, whose value only this process knows, and "
            "with processes=0 others run it, whom it does not reach: set it in the environment of "
            f"their processes and hand over nbflow.Secret.env({found[0]!r}), or run it by "
            "processes of this machine. Nothing was started"
        )


def _program(frozen: Captured, around: Middlewares) -> bytes:
    """Give the code as others load it: what can be imported goes by its name."""
    name = frozen.definition.name
    if not payload.pickles_allowed():
        raise Invalid(f"the code of {name} cannot be sent: {payload.JSON_ONLY}")
    bundle = (frozen.target, _cells(frozen), _changes(frozen), tuple(around))
    try:
        payload.dumps(tuple(around), f"what is called around the attempts of {name}")
        data = payload.dumps(bundle, f"the code of {name}")
    except Unserialisable as error:
        said = f"{error}. So other processes cannot run it; nothing was started"
        raise Invalid(said) from error
    if holds_secret(data):
        raise Invalid(
            f"the code of {name} holds the value of a secret, which would stand in the history: "
            "hand it over as an nbflow.Secret. Nothing was started"
        )
    return data


def _changes(frozen: Captured) -> dict[str, Any]:
    """Give the options that are not the workflow's own: those go with it, functions included."""
    own, rules = definition(frozen.target).settings, frozen.definition.settings
    names = [field.name for field in fields(rules)]
    return {n: getattr(rules, n) for n in names if getattr(rules, n) != getattr(own, n)}


def _cells(frozen: Captured) -> dict[str, str]:
    """Give the text of the cells that the code is in: tracebacks show their lines."""
    found = {}
    for name in frozen.files:
        entry = linecache.cache.get(name)
        if entry is not None and len(entry) > 1 and entry[1] is None:
            found[name] = redact("".join(entry[2]))
    return found
