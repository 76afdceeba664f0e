"""CloudFlow as a service of nbflow: runs are started there, watched, told things, kept going.

The id of a run is ``cloudflow/namespace/name``. What is known of it here stands in the directory
of this machine's own runs (`nbflow.services.cloudflow.dynamic.notes`).
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from nbflow.core.capture import Captured
from nbflow.core.errors import NbflowError, RunError, RunNotFound, StoreConflict
from nbflow.core.events import Event, RunClosed, SignalReceived
from nbflow.core.history import History
from nbflow.core.payload import pack, spill
from nbflow.services.base import Revival
from nbflow.services.cloudflow.client.client import CloudFlow
from nbflow.services.cloudflow.client.errors import AlreadyExists, DoesNotExist
from nbflow.services.cloudflow.dynamic.crew import Attendance, Crew
from nbflow.services.cloudflow.dynamic.crewing import crew_of
from nbflow.services.cloudflow.dynamic.ending import closing, stop_all
from nbflow.services.cloudflow.dynamic.names import Flows, slug
from nbflow.services.cloudflow.dynamic.reviving import revived
from nbflow.services.cloudflow.dynamic.settings import Options
from nbflow.services.cloudflow.dynamic.shipping import check_secrets, first_event
from nbflow.services.cloudflow.dynamic.store import ServiceSide
from nbflow.services.cloudflow.dynamic.surrounding import Surrounded
from nbflow.services.cloudflow.dynamic.values import values_of
from nbflow.services.cloudflow.emulator.handle import EMULATOR
from nbflow.services.notes import Notes, RunNote
from nbflow.services.simulation import Simulation
from nbflow.store.base import RunRow
from nbflow.store.ids import new_id

_PACES = (0.1, 1.0)
"""Seconds between two looks: with an emulator, which takes any number, and with the service."""
_TOLD = 20.0  # seconds that an orchestrator has to tell the service that a run is over


class CloudFlowService(Surrounded):
    """Alibaba CloudFlow, or an emulator of it. See `nbflow.services.base.Service`.

    Args:
        home: The directory where notes, values and the emulator are kept.
        options: See `nbflow.services.cloudflow.dynamic.settings.Options`.

    Raises:
        DefinitionError: An option makes no sense.

    Example:
        >>> run = revenue.on("cloudflow", simulate=True).start(["eu", "us"])
    """

    name: str = "cloudflow"
    OPTIONS: ClassVar[Sequence[str]] = Options.NAMES

    def __init__(self, home: Path, **options: Any) -> None:
        self.options = Options.of(options)
        self.home = home / "cloudflow"
        self.notes = Notes(self.home / "runs", before=2)
        self.flows = Flows(self.options.namespace)
        self.simulation = (
            Simulation(EMULATOR, self.home / "emulator") if self.options.simulate else None
        )
        self._side: ServiceSide | None = None
        self._attended: dict[str, Attendance] = {}
        self._noted: set[str] = set()
        self._unreached = ""
        self._lock = threading.RLock()

    # ------------------------------------------------------------ how it is reached

    def endpoint(self) -> str | None:
        """Give the address of the service, unless it is the region's own."""
        return self.simulation.url() if self.simulation is not None else self.options.endpoint

    def where(self) -> str:
        """Give where large values are."""
        return self.options.values or str((self.home / "values").absolute())

    @property
    def pace(self) -> float:
        """Seconds between two looks at how things stand."""
        given = self.options.pace
        return _PACES[not self.options.simulate] if given is None else given

    def side(self) -> ServiceSide:
        """Give what logs and letters are read by, connecting at the first use."""
        with self._lock:
            if self._side is None:
                client = CloudFlow(self.endpoint(), region=self.options.region)
                self.flows.ensure(client, self.options.role)
                self._side = ServiceSide(client, self.flows, values_of(self.where()), self.pace)
            return self._side

    def _reconnect(self) -> None:
        """Have the emulator started again, if it ended with the process that had started it."""
        with self._lock:
            if self.simulation is not None and not self.simulation.known():
                self._side = None

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
        self.options.check_start()
        frozen.definition.check(args, dict(kwargs))
        if not self.options.processes:
            check_secrets(frozen, args, kwargs)
        side = self.side()
        name = run or self.options.run_name or new_id(frozen.definition.name)
        event = first_event(frozen, args, kwargs, name, tags, side.put, self.surrounded())
        own = (self.options, name, self.endpoint(), self.where(), self.pace)
        crew = crew_of(*own) if self.options.processes else None
        whole = self._id(name)
        if self.notes.get(whole) is not None:
            raise StoreConflict(f"a run {whole} exists already; nothing was started")
        note = RunNote(
            run=whole,
            workflow=frozen.definition.name,
            created=time.time(),
            options=self.options.noted(),
            crew=crew.write() if crew else "",
        )
        self.notes.put(note)  # first: what runs is found again, whatever ends this process
        try:
            side.create(name, event)
        except BaseException:
            self.notes.drop(whole)
            raise
        self._begin(name, crew or self._others())
        self._attend(note)
        return whole

    def _begin(self, name: str, crew: Crew, execution: str = "") -> None:
        """Have the service ask for somebody who drives a run; once more is no matter."""
        runs, work = crew.addresses()
        given = {"queue": runs, "work": {"run": name, "queue": work}}
        with contextlib.suppress(AlreadyExists):
            self.side().client.start_execution(self.flows.run, execution or slug(name), given)

    def _others(self) -> Crew:
        """Give what is said to those who drive runs of a queue that is shared."""
        options = self.options
        return Crew(queue=str(options.queue), values=self.where(), mns=options.mns)

    def _attend(self, note: RunNote) -> None:
        """Drive a run from here, unless another process does, or it is left to others."""
        if not note.crew:
            return
        with self._lock:
            held = None if note.run in self._attended else self.notes.hold(note.run)
            if held is None:
                return

            def ended() -> None:
                with self._lock:
                    self.notes.release(held)
                    self._attended.pop(note.run, None)

            crew = Crew.read(note.crew)
            if self.simulation is not None:
                crew = replace(crew, endpoint=self.endpoint())
            log = self.home / "logs" / f"{slug(self._name(note.run))}.log"
            self._attended[note.run] = Attendance(crew, log, lambda: self._over(note.run), ended)

    # ------------------------------------------------------------ Service

    def _id(self, name: str) -> str:
        return f"cloudflow/{self.flows.namespace}/{name}"

    def _name(self, run: str) -> str:
        """Give what the log of a run is called."""
        parts = run.split("/", 2)
        if len(parts) != 3 or parts[:2] != ["cloudflow", self.flows.namespace]:  # noqa: PLR2004
            raise RunNotFound(
                f"no run {run!r:.80}: the id of one is cloudflow/{self.flows.namespace}/name"
            )
        return parts[2]

    def attach(self, run: str, *, drive: bool = True) -> str:
        """See `Service.attach`."""
        noted = self.notes.find(run)
        if len(noted) > 1:
            names = ", ".join(note.run for note in noted[:5])
            raise RunNotFound(f"{run!r} begins {len(noted)} runs on CloudFlow: {names}")
        whole = noted[0].run if noted else run
        if drive and noted and not noted[0].status:
            self._take_up(noted[0])
        else:
            list(self.events(whole))
        return whole

    def _take_up(self, note: RunNote) -> None:
        """Drive a run, if it is not over."""
        self.endpoint()
        self._reconnect()
        if not self._over(note.run):
            name = self._name(note.run)
            crew = Crew.read(note.crew) if note.crew else self._others()
            self._begin(name, crew, note.execution)
            self._attend(note)

    def events(self, run: str, after: int = 0) -> Iterator[Event]:
        """See `Service.events`."""
        name = self._name(run)
        try:
            found = list(self.side().logs.events(name, after))
        except RunNotFound:
            raise
        except NbflowError as error:
            self._unreached = f"the service cannot be had: {error}"
            self._reconnect()
            if self._side is None or not self._side.logs.known(name):
                raise
            return iter(())
        self._unreached = ""
        if found and isinstance(found[-1], RunClosed) and run not in self._noted:
            self._noted.add(run)
            self.notes.close(run, found[-1].status, found[-1].at)
        return iter(found)

    def _history(self, name: str) -> History:
        return History.of(self.side().logs.events(name, soon=True))

    def _latest(self, name: str) -> tuple[str, History]:
        """Give the run that goes on, of those that one goes on in, with the fold of its log."""
        while True:
            history = self._history(name)
            if history.continued is None:
                return name, history
            try:
                list(self.side().logs.events(history.continued.run))
            except RunNotFound:
                return name, history  # it is just being made
            name = history.continued.run

    def _over(self, run: str) -> bool:
        """Whether a run is over, and what it goes on in as well."""
        name = self._name(run)
        closed = self._latest(name)[1].closed
        if closed is None or closed.status == "continued":
            return False
        # Whoever has driven it tells the service so before it is ended, unless it is gone.
        return time.time() - closed.at > _TOLD or self._told(run, name)

    def _told(self, run: str, name: str) -> bool:
        """Whether the service knows that a run is over."""
        note = self.notes.get(run)
        execution = (note and note.execution) or slug(name)
        try:
            found = self.side().client.describe_execution(self.flows.run, execution)
        except DoesNotExist:
            return True
        return bool(found.over)

    def child(self, run: str, name: str) -> str:
        """See `Service.child`."""
        self._name(run)
        whole = self._id(name)
        list(self.events(whole))
        return whole

    def onward(self, run: str) -> str:
        """See `Service.onward`."""
        history = History.of(self.side().logs.events(self._name(run)))
        return self._id(history.continued.run) if history.continued is not None else ""

    def get(self, digest: str) -> bytes:
        """See `Service.get`."""
        return self.side().get(digest)

    def cancel(self, run: str, reason: str = "") -> None:
        """See `Service.cancel`."""
        name, history = self._latest(self._name(run))
        if history.closed is None:
            self.side().mail.cancel(name, reason)

    def terminate(self, run: str, reason: str = "") -> None:
        """See `Service.terminate`: the log is closed, and open executions are stopped."""
        root, side = self._name(run), self.side()
        name, history = self._latest(root)
        if history.closed is None:
            closing(side, name, reason)
            stop_all(side.client, self.flows, root, reason)

    def signal(self, run: str, name: str, value: object = None, *, id: str = "") -> None:  # noqa: A002
        """See `Service.signal`."""
        side = self.side()
        stored = spill(pack(value, f"the value of signal {name}"), side.put)
        latest, history = self._latest(self._name(run))
        if history.closed is not None:
            raise RunError(f"signal {name} cannot be sent: run {run} is over, and hears no more")
        told = SignalReceived(0, time.time(), name, 0, stored, id or secrets.token_hex(8))
        side.mail.post(latest, told)

    def revive(self, run: str, how: Revival) -> str:
        """See `nbflow.services.base.Reviving.revive`: by the code that the run has, and its name.

        Raises:
            RunError: Other code or another name is asked for, or the run is under way.
        """
        name, side = self._name(run), self.side()
        execution = revived(side, name, how)
        note = self.notes.get(run)
        if execution:
            if note is not None:
                note = replace(note, execution=execution, status="", closed=None)
                self.notes.put(note)
            self._noted.discard(run)
            crew = Crew.read(note.crew) if note is not None and note.crew else self._others()
            self._begin(name, crew, execution)
        if note is not None:
            self._attend(note)
        return run

    def settle(self, run: str, call: str, value: object) -> None:  # noqa: ARG002 - of the protocol
        """Refuse: see `nbflow.services.base.Reviving.settle`.

        Raises:
            RunError: Always; the message says what to do instead.
        """
        raise RunError(
            f"{call} cannot be told its result while run {run} is under way on CloudFlow: end the "
            "run by run.terminate(), then settle it: it goes on from there"
        )

    def cancel_call(self, run: str, call: str, reason: str = "") -> None:
        """See `nbflow.services.base.Reviving.cancel_call`."""
        name, _ = self._latest(self._name(run))
        self.side().mail.cancel_call(name, call, reason)

    def trouble(self, run: str) -> str:
        """See `Service.trouble`."""
        attended = self._attended.get(run)
        own = attended.trouble() if attended is not None else ""
        if own or self._unreached or self._side is None:
            return own or self._unreached
        noted = self._side.values.noted(f"t-{slug(self._name(run))}")
        return noted.decode() if noted else ""

    def runs(self, limit: int | None = None) -> list[RunRow]:
        """See `Service.runs`."""
        found = self.notes.of(self.options.noted())[:limit]
        return [self._seen(note).row(self.name) for note in found]

    def _seen(self, note: RunNote) -> RunNote:
        """Give a note as the service has the run now, if it can be had."""
        if not note.status and (self.simulation is None or self.simulation.known()):
            with contextlib.suppress(NbflowError):
                list(self.events(note.run))
        return self.notes.get(note.run) or note

    @classmethod
    def reached(cls, home: Path) -> list[dict[str, Any]]:
        """See `Service.reached`."""
        return Notes(home / "cloudflow" / "runs", before=2).reached()

    def matching(self, run: str) -> list[str]:
        """See `Service.matching`."""
        own = self.options.noted()
        return [note.run for note in self.notes.find(run) if note.options == own]

    def close(self) -> None:
        """See `Service.close`."""
        with self._lock:
            attended = list(self._attended.values())
        for each in attended:
            each.stop()
        if self.simulation is not None:
            self.simulation.close()

    def driven(self) -> list[str]:
        """See `Service.driven`."""
        return list(self._attended)

    def finish(self) -> None:
        """See `Service.finish`."""
        for run, attended in list(self._attended.items()):
            try:
                while not attended.gone.wait(0.2):
                    pass
            except KeyboardInterrupt:
                self.cancel(run, "interrupted")
                return
