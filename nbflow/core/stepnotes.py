"""What is noted of steps, in stores and in logs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple, Protocol

from nbflow.core.errors import NbflowError
from nbflow.core.events import Event, MarkerRecorded
from nbflow.core.payload import Fetch, unpack

FORCE: Final = "force-step:"
"""Begins a tag that has steps run that are done, as in ``force-step:load.*``."""
SKIP: Final = "skip-step:"
"""Begins a tag that has steps not run."""
PLAYED: Final = "it was done before"
NEW: Final = "it was not done before"
NOTE: Final = "step "
"""Begins what a marker of a step is of."""


class Mark(NamedTuple):
    """That a step is done: the run that did it, and when (seconds since the epoch)."""

    run: str
    at: float


class Site(Protocol):
    """Where steps are noted, and what the surroundings of a run ask for."""

    def done(self, scope: str, /) -> dict[str, Mark]:
        """Give the steps of a scope that are done, by name."""

    def mark(self, scope: str, step: str, mark: Mark, /) -> None:
        """Note that a step is done."""

    def wishes(self) -> tuple[list[str], list[str]]:
        """Give which steps the environment has run, and which it has not run."""


_sites: list[Callable[[str], Site]] = []
"""Gives the site of a run: put here by the layer that knows stores."""


def provide(site: Callable[[str], Site]) -> None:
    """Say how the site of a run is found, by its id."""
    _sites[:] = [site]


def site_of(run: str) -> Site:
    """Give the site of a run.

    Raises:
        NbflowError: There is no store here.
    """
    if not _sites:
        message = "steps are noted in the store of a run, and none is known here"
        raise NbflowError(message)
    return _sites[0](run)


class Wish(NamedTuple):
    """Steps that are to be run, or not to be run, and who says so."""

    steps: str
    reason: str

    def of(self, name: str) -> bool:
        """Whether it is about a step: by its name, one above it, or a pattern such as ``a.*``."""
        steps = self.steps
        return name == steps or name.startswith(f"{steps}.") or fnmatchcase(name, steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a step runs, whether that is because somebody says so, and why."""

    runs: bool
    forced: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """What became of a step in a run.

    Attributes:
        step: Its name.
        scope: What it is done for.
        status: ``scheduled`` (begun), ``completed`` or ``skipped``.
        forced: Whether somebody had it run.
        reasons: Why it ran or not.
        at: When it came to that (seconds since the epoch).
    """

    step: str
    scope: str
    status: str
    forced: bool
    reasons: tuple[str, ...]
    at: float


def steps_of(events: Iterable[Event], fetch: Fetch) -> list[StepRow]:
    """Fold the steps of a run from its log, in the order in which they were begun."""
    found: dict[tuple[str, str], StepRow] = {}
    for event in events:
        if isinstance(event, MarkerRecorded) and event.of.startswith(NOTE):
            for row in _rows(unpack(event.value, str, fetch), event.at):
                found[row.scope, row.step] = row
    return list(found.values())


def _rows(value: Any, at: float) -> Iterator[StepRow]:
    if isinstance(value, dict) and {"scope", "step", "status"} <= value.keys():
        fields = {**value, "reasons": tuple(value.get("reasons", ())), "at": at}
        yield StepRow(**{"forced": False, **fields})
