"""Starts the processes of a crew, starts those anew that die, and ends them all.

It is a process with one thread, so that it may fork: a new worker is there in some milliseconds,
and shares what the others have loaded. When it is asked to end (SIGTERM, SIGINT) its processes
finish what they do; when whoever started it is gone, or it is gone itself, they end at once.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from nbflow.core.errors import NbflowError
from nbflow.services.metrics import Listener, exposition
from nbflow.services.swf.api import Api
from nbflow.services.swf.crew import Crew, answer_for_the_dead
from nbflow.services.swf.figures import Figures
from nbflow.services.swf.member import ENDS, Role, be

_log = logging.getLogger(__name__)
FATAL: Final = 5
"""So many processes in a row that end before they are ready, and it is given up."""
_PAUSES: Final = (0.0, 0.1, 0.5, 2.0, 5.0)
_LOOK: Final = 0.5
_CHUNK: Final = 65_536


@dataclass(slots=True)
class Member:
    """A process of the crew as its supervisor knows it.

    Attributes:
        role: What it does.
        pid: Its id; the group's, too.
        pipe: Where it tells things.
        busy: The activity that it runs, with its run; empty if none.
        ready: Whether it got as far as to work.
        rest: What it has told of its next line.
    """

    role: Role
    pid: int
    pipe: int
    busy: dict[str, Any] = field(default_factory=dict)
    ready: bool = False
    rest: bytes = b""


class Supervisor:
    """Supervises a crew.

    Args:
        crew: Which processes there are to be.
        until_eof: A file descriptor at whose end everything ends at once; None: there is none.
        report: Is told of what whoever started it wants to know: trouble, that all are ready.
        listener: Where others ask for figures; None: nowhere.
    """

    def __init__(
        self,
        crew: Crew,
        until_eof: int | None = None,
        report: Callable[[dict[str, Any]], None] = lambda _: None,
        listener: Listener | None = None,
    ) -> None:
        self.crew = crew
        self._listener, self._figures = listener, Figures(crew.task_list)
        self._eof, self._report = until_eof, report
        self._members: dict[int, Member] = {}
        self._due: list[tuple[float, Role]] = []
        self._failures = 0
        self._asked = 0
        self._end = 0.0
        self._api: Api | None = None
        self._spare = crew.api()
        """Never spoken by here: connections must not be shared by forks."""
        self._told: dict[str, Role] = {}

    def run(self) -> int:
        """Supervise until asked to end; give the exit code."""
        self._lifeline, self._alive = os.pipe()
        self._wake, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in ENDS:
            signal.signal(number, self._ask)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        now = time.monotonic()
        roles: tuple[tuple[Role, int], ...] = (
            ("decider", self.crew.deciders),
            ("worker", self.crew.workers),
        )
        self._due = [(now, role) for role, count in roles for _ in range(count)]
        try:
            return self._loop()
        finally:
            self._kill()

    def _ask(self, *_: object) -> None:
        self._asked += 1

    def _loop(self) -> int:
        while True:
            if self._asked and not self._drain():
                return 0
            self._start_due()
            self._listen()
            if self._eof_seen():
                return 0
            self._bury()
            if self._failures >= FATAL:
                return 1

    def _drain(self) -> bool:
        """Have the processes end, and end them if that takes too long; give whether any is left."""
        if not self._end:
            self._end = time.monotonic() + self.crew.grace
            self._due.clear()
            for member in self._members.values():
                _kill(member.pid, signal.SIGTERM)
        if self._asked > 1 or time.monotonic() > self._end:
            self._kill()
        return bool(self._members)

    def _kill(self) -> None:
        """End all processes at once, with what they have started."""
        for member in self._members.values():
            _kill(-member.pid, signal.SIGKILL)
            _kill(member.pid, signal.SIGKILL)
        for member in self._members.values():
            with contextlib.suppress(ChildProcessError):
                os.waitpid(member.pid, 0)
        self._members.clear()

    def _start_due(self) -> None:
        now = time.monotonic()
        due = [role for at, role in self._due if at <= now]
        self._due = [(at, role) for at, role in self._due if at > now]
        for role in due:
            self._fork(role)

    def _fork(self, role: Role) -> None:
        tells, told = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        # Until it has handlers of its own it would obey those of this process, and not end.
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            kept = {told, self._lifeline}
            mine = {self._alive, self._wake, tells, *(m.pipe for m in self._members.values())}
            for number in mine - kept:
                os.close(number)
            if self._listener is not None:
                self._listener.close()
            be(role, self.crew, self._spare, told, self._lifeline)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
        os.close(told)
        os.set_blocking(tells, False)
        self._members[pid] = Member(role, pid, tells)

    def _listen(self) -> None:
        """Wait for something to happen, and take what the processes tell."""
        pipes = {member.pipe: member for member in self._members.values()}
        asks = -1 if self._listener is None else self._listener.fileno()
        others = [self._eof, asks if asks >= 0 else None]
        watched = [*pipes, self._wake, *(each for each in others if each is not None)]
        due = min((at for at, _ in self._due), default=time.monotonic() + _LOOK)
        pause = max(0.0, min(_LOOK, due - time.monotonic()))
        ready, _, _ = select.select(watched, [], [], pause)
        if self._wake in ready:
            os.read(self._wake, _CHUNK)
        for number in ready:
            if number in pipes:
                self._hear(pipes[number])
        if asks in ready and self._listener is not None:
            at_work = Counter(str(m.role) for m in self._members.values() if m.ready)
            self._listener.answer(exposition(self._figures.metrics(at_work)))

    def _eof_seen(self) -> bool:
        if self._eof is None or not select.select([self._eof], [], [], 0)[0]:
            return False
        return not os.read(self._eof, _CHUNK)

    def _hear(self, member: Member) -> None:
        """Take what a process tells."""
        try:
            data = os.read(member.pipe, _CHUNK)
        except BlockingIOError:
            return
        *lines, member.rest = (member.rest + data).split(b"\n")
        for line in lines:
            said = json.loads(line)
            if "ready" in said:
                member.ready, self._failures = True, 0
            elif "busy" in said:
                member.busy = said
                self._figures.busy(member.pid)
            elif "idle" in said:
                member.busy = {}
                self._figures.idle(member.pid)
            else:
                if "trouble" in said:
                    self._figures.trouble()
                self._report(said)
        there = {str(m.pid): m.role for m in self._members.values() if m.ready}
        if there != self._told and len(there) == self.crew.deciders + self.crew.workers:
            self._told = there
            self._report({"ready": there})

    def _bury(self) -> None:
        """See which processes have ended, and have others take their places."""
        for pid in list(self._members):
            try:
                gone, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                gone, status = pid, 0
            if gone:
                self._lost(self._members.pop(pid), os.waitstatus_to_exitcode(status))

    def _lost(self, member: Member, code: int) -> None:
        self._hear(member)
        os.close(member.pipe)
        _kill(-member.pid, signal.SIGKILL)  # what its activity has started
        if self._asked:
            return
        self._figures.died(member.pid, member.role)
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        _log.warning("a %s of %s has ended: %s", member.role, self.crew.task_list, how)
        self._failures = 0 if member.ready else self._failures + 1
        pause = _PAUSES[min(self._failures, len(_PAUSES) - 1)]
        self._due.append((time.monotonic() + pause, member.role))
        if member.busy:
            self._answer(member, how)

    def _answer(self, member: Member, how: str) -> None:
        """Say what became of the activity that a dead process was at."""
        self._api = self._api or self.crew.api()
        try:
            run = str(member.busy["run"])
            answer_for_the_dead(self._api, self.crew, member.busy["busy"], run, how)
        except NbflowError as error:
            # Its time-out will tell, then.
            _log.warning("%s cannot be said to have failed: %s", member.busy, error)


def _kill(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


class _Reports:
    """Reports to whoever started this process, by what was its standard output.

    That is turned to the standard error: what activities print is no report.
    """

    def __init__(self) -> None:
        self._file = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def __call__(self, said: dict[str, Any]) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._file.write(json.dumps(said) + "\n")
            self._file.flush()


def main() -> int:
    """Supervise the crew that the first line of the standard input names, until its end."""
    line = b""
    while not line.endswith(b"\n"):
        more = os.read(0, 1)  # one by one: what follows is not for here
        if not more:
            return 2
        line += more
    crew = Crew.read(line.decode())
    sys.path[:0] = [entry for entry in crew.path if entry not in sys.path]
    logging.basicConfig(format="%(asctime)s %(process)d %(message)s")
    report = _Reports()
    try:
        return Supervisor(crew, os.dup(0), report).run()
    except NbflowError as error:
        report({"fatal": f"{type(error).__name__}: {error}"})
        return 1


if __name__ == "__main__":
    sys.exit(main())
