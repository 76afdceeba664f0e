"""SWF as a service of nbflow: runs are started there, watched, told things, and kept going.

The id of a run is ``domain/workflow id/run id``. What is known of it here stands in the directory
of this machine's own runs (`nbflow.services.swf.notes`), so any later process finds it again.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar

from nbflow.core.capture import Captured
from nbflow.core.errors import NbflowError, RunError, RunNotFound
from nbflow.core.events import Event, RunClosed
from nbflow.services.notes import RunNote
from nbflow.services.simulation import Simulation
from nbflow.services.swf.api import Api
from nbflow.services.swf.attending import Attendance
from nbflow.services.swf.blobs import Blobs
from nbflow.services.swf.connection import connect
from nbflow.services.swf.crew import Crew, store_of
from nbflow.services.swf.domains import Domain
from nbflow.services.swf.emulator.handle import EMULATOR
from nbflow.services.swf.errors import DoesNotExist, Throttled, Unreachable
from nbflow.services.swf.executions import WorkflowExecution
from nbflow.services.swf.flows import start_workflow
from nbflow.services.swf.following import ExecutionLog
from nbflow.services.swf.listing import listed
from nbflow.services.swf.logs import Logs, id_of
from nbflow.services.swf.notes import ExecutionNotes
from nbflow.services.swf.settings import Options
from nbflow.services.swf.shipping import name_of
from nbflow.services.swf.telling import Telling, own_list
from nbflow.store.base import RunRow
from nbflow.store.ids import new_id


class Chain:
    """A run that is driven from here, with those that it went on in.

    Attributes:
        note: What is noted of the first.
        held: What says that they are driven here, by their ids.
    """

    def __init__(self, note: RunNote, held: int) -> None:
        self.note, self.held = note, {note.run: held}

    @property
    def latest(self) -> str:
        """The run that goes on."""
        return next(reversed(self.held))


class SwfService(Telling):
    """Amazon SWF, or an emulator of it, in one domain. See `nbflow.services.base.Service`.

    Args:
        home: The directory where notes, code and the emulator are kept.
        options: See `nbflow.services.swf.settings.Options`.

    Raises:
        DefinitionError: An option makes no sense.

    Example:
        >>> run = revenue.on("swf", domain="analytics", processes=4).start(["eu", "us"])
    """

    name: str = "swf"
    OPTIONS: ClassVar[Sequence[str]] = Options.NAMES

    def __init__(self, home: Path, **options: Any) -> None:
        self.options = Options.of(options)
        self.home = home / "swf"
        self.notes = ExecutionNotes(self.home / "runs")
        self.simulation = (
            Simulation(EMULATOR, self.home / "emulator") if self.options.simulate else None
        )
        self._domain: Domain | None = None
        pace = (0.1, 1.0) if self.options.simulate else (0.2, 5.0)
        self.aloud = (self.home / "aloud").absolute()
        """Where what activities say while they run is, for those who look on from this machine."""
        self.logs = Logs(self.domain, self.store, pace, self.aloud)
        self.attends = True
        """Whether runs that are started, or go on, are driven from here at once."""
        self._attended: dict[str, Attendance] = {}
        self._noted: set[str] = set()
        self._unreached = ""
        self._lock = threading.RLock()

    # ------------------------------------------------------------ how it is reached

    def endpoint(self) -> str | None:
        """Give the address of the service, if it is not AWS's own; the emulator is started."""
        return self.simulation.url() if self.simulation is not None else self.options.endpoint_url

    def domain(self) -> Domain:
        """Give the domain, connecting to the service at the first use."""
        with self._lock:
            if self._domain is None:
                options = self.options
                client = connect(
                    region=options.region, profile=options.profile, endpoint_url=self.endpoint()
                )
                self._domain = Domain(api=Api(client), name=options.domain)
                if self.simulation is not None:
                    self._domain.save()
            return self._domain

    def _reconnect(self) -> None:
        """Have the emulator started again, if it ended with the process that had started it."""
        with self._lock:
            if self.simulation is not None and not self.simulation.known():
                self._domain = None
                api = self.domain().api
                for log in self.logs.all():
                    log.execution.api = log.execution.domain.api = api

    def blobs(self) -> str:
        """Give the store of what is too long for SWF, as `store_of` reads it."""
        if self.options.blobs or not self.options.processes:
            return str(self.options.blobs)
        return str((self.home / "blobs").absolute())

    def store(self) -> Blobs | None:
        """Give that store."""
        return store_of(self.blobs(), self.options.region, self.options.profile)

    # ------------------------------------------------------------ starting

    def start(
        self,
        frozen: Captured,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        *,
        run: str = "",
        tags: tuple[str, ...] = (),
    ) -> str:
        """See `Service.start`."""
        options, domain = self.options, self.domain()
        workflow_id = run or options.workflow_id or new_id(frozen.definition.name)
        crew = self._crew(frozen, workflow_id)
        try:
            execution = start_workflow(
                domain,
                frozen,
                args,
                kwargs,
                workflow_id=workflow_id,
                task_list=crew.task_list if crew else options.task_list,
                tags=tags,
                execution_timeout=options.execution_timeout,
                decision_timeout=options.decision_timeout,
                blobs=self.store(),
            )
        except DoesNotExist as error:
            error.add_note(
                f"swf.Domain(name={domain.name!r}).save() makes the domain; nothing was started"
            )
            raise
        whole = id_of(execution)
        note = RunNote(
            run=whole,
            workflow=frozen.definition.name,
            created=time.time(),
            options=options.noted(),
            crew=crew.write() if crew is not None else "",
        )
        self.notes.put(note)
        self._attend(note)
        return whole

    def _crew(self, frozen: Captured | None, workflow_id: str) -> Crew | None:
        options = self.options
        if not options.processes:
            return None
        own = options.task_list or own_list(workflow_id)
        name = name_of(frozen.target) if frozen is not None else ""
        return Crew(
            domain=options.domain,
            task_list=own,
            activity_task_list=own,
            deciders=options.deciders,
            workers=options.processes,
            region=options.region,
            profile=options.profile,
            endpoint_url=self.endpoint(),
            blobs=self.blobs(),
            lost_after=options.lost_after,
            names=(name,) if name else (),
            private=not options.task_list,
            path=tuple(entry or str(Path.cwd()) for entry in sys.path),
            grace=10.0 if not options.task_list else 70.0,
            before=tuple((options.middleware or {}).get("before", ())),
            after=tuple((options.middleware or {}).get("after", ())),
            aloud=str(self.aloud),
        )

    def _attend(self, note: RunNote) -> None:
        """Drive a run from here, unless another process does, or it is left to others."""
        if not note.crew or not self.attends:
            return
        with self._lock:
            held = None if note.run in self._attended else self.notes.hold(note.run)
            if held is None:
                return
            chain = Chain(note, held)

            def ended() -> None:
                with self._lock:
                    for run, hold in chain.held.items():
                        self.notes.release(hold)
                        self._attended.pop(run, None)

            crew = Crew.read(note.crew)
            if self.simulation is not None:
                crew = Crew(**{**asdict(crew), "endpoint_url": self.endpoint()})
            logs = self.home / "logs" / f"{note.run.split('/')[1]}.log"
            self._attended[note.run] = Attendance(crew, logs, lambda: self._over(chain), ended)

    # ------------------------------------------------------------ Service

    def attach(self, run: str, *, drive: bool = True) -> str:
        """See `Service.attach`."""
        noted = self.notes.find(run)
        if len(noted) > 1:
            names = ", ".join(note.run for note in noted[:5])
            raise RunNotFound(f"{run!r} begins {len(noted)} runs on SWF: {names}")
        whole = noted[0].run if noted else run
        log = self.logs.of(whole)
        list(self._asked(log))
        self._note_end(whole, log)
        if drive and noted:
            self._take_up(noted[0])
        return whole

    def _take_up(self, note: RunNote) -> None:
        """Drive a run, or what it goes on in, if it is not over."""
        while onward := self.onward(note.run):
            note = self.notes.get(onward) or replace(note, run=onward, status="", closed=None)
            self.notes.put(note)
        list(self._asked(self.logs.of(note.run)))
        if not self.logs.of(note.run).closed:
            self._attend(note)

    def events(self, run: str, after: int = 0) -> Iterator[Event]:
        """See `Service.events`."""
        log = self.logs.of(run)
        found = self._asked(log, after)
        self._note_end(run, log)
        return found

    def _asked(self, log: ExecutionLog, after: int = 0) -> Iterator[Event]:
        """Read a log; what is known of it will do while the service cannot be had."""
        try:
            found = log.events(after) if after else log.whole()
        except (Throttled, Unreachable) as error:
            self._unreached = f"the service cannot be had: {error}"
            self._reconnect()
            if not log.length:
                raise
            return log.known(after)
        self._unreached = ""
        return found

    def _note_end(self, run: str, log: ExecutionLog) -> None:
        if log.closed and run not in self._noted:
            self._noted.add(run)
            (closed,) = log.known(log.length - 1)
            status = closed.status if isinstance(closed, RunClosed) else "continued"
            self.notes.close(run, status, closed.at)
            self.logs.forget(run)

    def _over(self, chain: Chain) -> bool:
        """Whether a run that is driven from here is over, and what it goes on in as well."""
        run = chain.latest
        log = self.logs.of(run)
        list(self._asked(log, log.length))
        self._note_end(run, log)
        onward = self.logs.onward(run)
        if not onward:
            return log.closed
        (last,) = log.known(log.length - 1)
        self.notes.put(replace(chain.note, run=onward, created=last.at))
        held = self.notes.hold(onward)
        if held is None:
            return True  # somebody else was quicker, and drives it
        with self._lock:
            chain.held[onward] = held
            self._attended[onward] = self._attended[run]
        return False

    def child(self, run: str, name: str) -> str:
        """See `Service.child`."""
        return self.logs.child(run, name)

    def onward(self, run: str) -> str:
        """See `Service.onward`."""
        list(self._asked(self.logs.of(run)))
        return self.logs.onward(run)

    def get(self, digest: str) -> bytes:
        """See `Service.get`: values stand in the events, whatever their size."""
        raise RunError(f"a run on SWF keeps no value beside its log: {digest:.80}")

    def trouble(self, run: str) -> str:
        """See `Service.trouble`."""
        attended = self._attended.get(run)
        own = attended.trouble(run.split("/")[1]) if attended is not None else ""
        return own or self._unreached

    def runs(self, limit: int | None = None) -> list[RunRow]:
        """See `Service.runs`."""
        api = None
        if self.simulation is None or self.simulation.known():
            with contextlib.suppress(NbflowError):
                api = self.domain().api
        return listed(self.notes, self._own(), api, limit)

    def _own(self) -> list[RunNote]:
        return self.notes.of(self.options.noted())

    @classmethod
    def reached(cls, home: Path) -> list[dict[str, Any]]:
        """See `Service.reached`."""
        return ExecutionNotes(home / "swf" / "runs").reached()

    def matching(self, run: str) -> list[str]:
        """See `Service.matching`."""
        own = self.options.noted()
        return [note.run for note in self.notes.find(run) if note.options == own]

    def close(self) -> None:
        """See `Service.close`."""
        with self._lock:
            attended = list(self._attended.values())
        for each in attended:
            each.stop(hasty=True)
        if self.simulation is not None:
            self.simulation.close()

    def driven(self) -> list[str]:
        """See `Service.driven`."""
        return list(self._attended)

    def finish(self) -> None:
        """See `Service.finish`."""
        for run in list(self._attended):
            attended = self._attended.get(run)
            if attended is None:
                continue
            try:
                while not attended.gone.wait(0.2):
                    pass
            except KeyboardInterrupt:
                self.cancel(run)

    def attended(self, run: str) -> Attendance | None:
        """Give what drives a run from here, or None."""
        return self._attended.get(run)

    # ------------------------------------------------------------ inside

    def execution(self, run: str) -> WorkflowExecution:
        """Give the execution that a run is."""
        return self.logs.of(run).execution
