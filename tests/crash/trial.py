"""One trial: a run that is killed and resumed until it is over, judged all the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.crash.engine import DONE, FAULT, TOLD, Spec
from tests.crash.ledger import Line, read
from tests.crash.nursery import Nursery
from tests.crash.rules import judge_incarnation, judge_trial
from tests.crash.snapshot import Snapshot

KILLED = -9


@dataclass(frozen=True, slots=True)
class Kill:
    """How an incarnation dies: at a point, or after so many seconds; by default not at all."""

    at: int = 0
    after: float | None = None


@dataclass
class Trial:
    """A directory with a store and a ledger, and those who work there one after another.

    Attributes:
        nursery: Where processes come from.
        spec: What they do.
        kills: How many of them were killed.
    """

    nursery: Nursery
    spec: Spec
    kills: int = 0
    last: Snapshot = field(init=False)
    _read: int = 0

    def __post_init__(self) -> None:
        self.last = Snapshot(self.store)

    @property
    def home(self) -> Path:
        return Path(self.spec.directory)

    @property
    def store(self) -> Path:
        return self.home / "store"

    @property
    def ledger(self) -> list[Line]:
        return read(self.home / "ledger")

    @property
    def died_at(self) -> list[str]:
        """Give the labels of the points that somebody died at."""
        return [line.what[0] for line in self.ledger if line.kind == "killed"]

    def incarnate(self, kill: Kill = Kill()) -> int:  # noqa: B008 - immutable
        """Have one process start or resume the run, judge it, and give how it ended."""
        (status,) = self.together(replace(self.spec, kill_at=kill.at), after=kill.after)
        assert status in {DONE, KILLED}, status
        return status

    def together(self, *specs: Spec, after: float | None = None) -> list[int]:
        """Have processes work on the run at the same time."""
        statuses = self.nursery.run(*specs, kill_after=after)
        faults = [path.read_text() for path in self.home.glob("fault-*")]
        assert not faults, "\n".join(faults)
        assert not set(statuses) - {DONE, TOLD, KILLED, FAULT}, f"it hung: {statuses}"
        self.kills += statuses.count(KILLED)
        now, lines = Snapshot.of(self.store), self.ledger
        new = lines[self._read :]
        pids = {line.pid for line in new if line.kind == "begun"}
        assert len(pids) <= len(specs)
        judge_incarnation(self.last, now, new, pids)
        self.last, self._read = now, len(lines)
        return statuses

    def drive(self, kills: Iterable[Kill]) -> bool:
        """Kill as planned, then let the run come to its end, and judge the trial.

        Returns:
            Whether the last kill that was planned took place.
        """
        killed = False
        for kill in kills:
            killed = self.incarnate(kill) == KILLED
            if not killed:
                break
        if killed:
            assert self.incarnate() == DONE
        judge_trial(self.last, self.ledger, self.kills)
        return killed
