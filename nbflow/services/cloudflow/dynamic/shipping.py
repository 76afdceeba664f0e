"""The first event of a run on CloudFlow, with the code that the run is driven by."""

from __future__ import annotations

import linecache
import time
from collections.abc import Callable, Mapping
from typing import Any

from nbflow.core import payload
from nbflow.core.capture import Captured
from nbflow.core.errors import Unserialisable
from nbflow.core.events import RunStarted
from nbflow.core.payload import Packed, pack, spill
from nbflow.core.recorded import python
from nbflow.core.redact import holds_secret, redact
from nbflow.services.cloudflow.client.errors import Invalid


def first_event(
    frozen: Captured,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    run: str,
    tags: tuple[str, ...],
    put: Callable[[bytes], str],
) -> RunStarted:
    """Make the first event of a run.

    Args:
        frozen: The workflow.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        run: What the run is called.
        tags: Words that it is found by.
        put: Keeps the bytes of large values.

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
        program=spill(Packed("pickle", _program(frozen)), put),
        python=python(),
    )


def _program(frozen: Captured) -> bytes:
    """Give the code as others load it: what can be imported goes by its name."""
    name = frozen.definition.name
    if not payload.pickles_allowed():
        raise Invalid(f"the code of {name} cannot be sent: {payload.JSON_ONLY}")
    bundle = (frozen.target, _cells(frozen), frozen.definition.settings)
    try:
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


def _cells(frozen: Captured) -> dict[str, str]:
    """Give the text of the cells that the code is in: tracebacks show their lines."""
    found = {}
    for name in frozen.files:
        entry = linecache.cache.get(name)
        if entry is not None and len(entry) > 1 and entry[1] is None:
            found[name] = redact("".join(entry[2]))
    return found
