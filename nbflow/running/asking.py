"""What a shell and a notebook are asked for, and what is then done: defined once for both.

`nbflow.cli` makes options of a command of it, `nbflow.magics` flags of a verb. Nothing here knows
either, so that the flags of a cell magic are known without the command being loaded.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from nbflow import executors, services

if TYPE_CHECKING:
    import os
    from typing import Protocol

    class Saved(Protocol):
        """A picture, or anything else that can be saved."""

        def save(self, path: str | os.PathLike[str], /) -> Path:
            """Save it."""
            ...


class Option(NamedTuple):
    """An option of a command, which is a flag of a verb.

    Attributes:
        name: What it is called in code.
        metavar: What stands for its value; "" where it has none.
        help: What it does, as a sentence.
        many: Whether it may be given more than once.
    """

    name: str
    metavar: str
    help: str
    many: bool = False


STARTING: Final[dict[str, Option]] = {
    "--on": Option(
        "on", "PLACE", f"Where it runs: {', '.join([*executors.TABLE, *services.TABLE])}."
    ),
    "--simulate": Option("simulate", "", "With --on swf or cloudflow: on an emulator."),
    "--domain": Option("domain", "NAME", "With --on swf: the domain that it runs in."),
    "--option": Option("place", "NAME=VALUE", "An option of that place.", many=True),
    "--max-workers": Option("max_workers", "N", "How many calls may run at once there."),
    "--tag": Option("tags", "WORD", "What the run can be found by.", many=True),
}
"""How a run is started: for ``nbflow run``, ``%nbflow run`` and ``%%workflow --run``."""


def place_options(
    on: Any,
    pairs: Iterable[str] = (),
    *,
    simulate: bool = False,
    domain: str | None = None,
    max_workers: int | None = None,
) -> dict[str, Any]:
    """Give the options of the place that a run is to go to.

    Args:
        on: The place.
        pairs: ``name=value`` each; the value as JSON, or else as text.
        simulate: Whether a service is to be an emulator.
        domain: Of a service.
        max_workers: How many calls may run at once there.

    Raises:
        ValueError: A pair is none, or what is of a service is given for another place.

    Example:
        >>> place_options("dask", ["address=tcp://10.0.0.1:8786"], max_workers=4)
        {'address': 'tcp://10.0.0.1:8786', 'max_workers': 4}
    """
    given = {"simulate": simulate or None, "domain": domain}
    own = {name: value for name, value in given.items() if value is not None}
    if own and not (isinstance(on, str) and on in services.TABLE):
        names = " or ".join(f"--on {name}" for name in services.TABLE)
        message = f"--{next(iter(own))} is for runs on a service: add {names}"
        raise ValueError(message)
    more = {} if max_workers is None else {"max_workers": max_workers}
    return {**named_values(pairs, "--option"), **own, **more}


def named_values(pairs: Iterable[str], option: str) -> dict[str, Any]:
    """Read ``name=value`` pairs, the value as JSON, or else as text.

    Raises:
        ValueError: One is none.

    Example:
        >>> named_values(["n=3", "name=eu"], "--arg")
        {'n': 3, 'name': 'eu'}
    """
    found = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.isidentifier():
            message = f"{option} {pair!r:.80}: write it as name=value"
            raise ValueError(message)
        found[name] = value_of(text)
    return found


def value_of(text: str) -> Any:
    """Read a value: JSON where it is some, else the text itself.

    Example:
        >>> value_of("[1, 2]"), value_of("eu")
        ([1, 2], 'eu')
    """
    try:
        return json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError):
        return text


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dict of a JSON object that says nothing twice.

    Raises:
        ValueError: It does.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        double = next(name for name in names if names.count(name) > 1)
        message = f"{double!r:.80} is there twice"
        raise ValueError(message)
    return found


def history_file(text: str) -> Path | None:
    """Give the file that is meant where a run or its exported history may be named.

    Example:
        >>> history_file("revenue-1f0c") is None, history_file("old.jsonl")
        (True, PosixPath('old.jsonl'))
    """
    return Path(text) if text.endswith((".jsonl", ".jsonl.gz")) else None


def saved(view: Saved, file: str) -> str:
    """Save a picture, and say where it is.

    Raises:
        ValueError: The file's extension says no format; the message has those there are.
        OSError: It cannot be written; a file that was there is as it was.

    Example:
        >>> saved(run.graph, "graph.svg")
        'wrote graph.svg'
    """
    return f"wrote {view.save(file)}"
