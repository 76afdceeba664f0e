"""What every store has to do."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence

from nbflow.core.digests import digest
from nbflow.core.errors import DefinitionError, RunNotFound, StoreConflict, StoreError
from nbflow.core.events import (
    CallCancelled,
    CallFailed,
    CallMissed,
    CallReused,
    CallScheduled,
    CallStarted,
    CallSucceeded,
    CancelRequested,
    Event,
    MarkerFailed,
    MarkerRecorded,
    Report,
    RunClosed,
    RunResumed,
    RunStarted,
    TimerCancelled,
    TimerFired,
    TimerStarted,
)
from nbflow.core.failure import Failure, Frame
from nbflow.core.payload import Blob, Packed, Ref
from nbflow.store.base import RunRow, Store
from nbflow.testing.caches import CacheContract
from nbflow.testing.checks import equal, raises, true
from nbflow.testing.notes import MarksContract

HOSTILE = (
    "plain",
    "é漢字 \U0001f600",
    "e\u0301 is not \u00e9",
    "\u202eright to left",
    "'; DROP TABLE run; --",
    '"quoted" \\ %s {} $1 ?',
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "line\nline\r\ttab\x1b[31m",
    "x" * 5_000,
    "null",
    "1",
    "",
)
"""Names that a careless store confuses, cuts or runs."""

EVENTS: tuple[Event, ...] = (
    RunStarted(
        1,
        100.5,
        "flow",
        (1, "1", True, None, 1.5, Packed("json", '[1,"é"]')),
        {"key": Packed("pickle", b"\x00\xff"), "blob": Blob("json", "ab12", 70_000)},
        on="processes",
        code="abc",
        source="def flow():\n    return '\u202e'",
        captured=("K: int",),
    ),
    RunResumed(2, 101.0, "again"),
    CallScheduled(3, 101.5, "f-1", "f", (2**70, -0.0), None, (), 1, ("g-1", "g-2"), "c0de"),
    CallScheduled(4, 102.0, "g-1", "g", (Ref("f-1"),), {"x": Ref("f-1")}, ("f-1", "f-1")),
    CallStarted(5, 102.5, "f-1", 1, "thread-1"),
    CallFailed(
        6,
        103.0,
        "f-1",
        1,
        Failure(
            kind="m.Oops",
            bases=("m.Oops", "Exception", "BaseException"),
            message="<b>no</b>\n",
            frames=(Frame("cell", 3, "f", "raise Oops"),),
            pickled=b"\x80\x04.",
        ),
        retry_at=110.25,
        report=Report.between("thread-1", 102.5, 103.0, cpu=0.25, memory=4096),
    ),
    CallSucceeded(7, 111.0, "f-1", 2, Packed("json", "[]"), "thread-2", 110.5, 5, 4, 3, 2),
    CallFailed(8, 112.0, "g-1", 1, Failure(kind="E", bases=("E",), message=""), abandoned=True),
    CallCancelled(9, 113.0, "h-1", "because", abandoned=True),
    TimerStarted(10, 114.0, "timer-1", 120.0),
    TimerFired(11, 120.0, "timer-1"),
    TimerCancelled(12, 121.0, "timer-2"),
    CancelRequested(13, 122.0, "enough"),
    CallMissed(14, 122.5, "k-1", "", ("never: argument x: <b>", "code: K: 5 -> 50")),
    CallReused(15, 122.75, "k-2", "c0de", "run/é-1", Packed("json", "[1]"), 99.5, 2**40),
    MarkerRecorded(
        16, 122.8, "side_effect-1", Packed("pickle", b"\x80\x04N."), "roll", 2, ("f-1",)
    ),
    MarkerFailed(17, 122.9, "side_effect-2", Failure(kind="E", bases=("E",), message="m"), "roll"),
    RunClosed(18, 123.0, "failed", None, Failure(kind="E", bases=("E",), message="m"), "g-1"),
)
"""A log with an event of every kind. As a run it makes no sense."""


def started(at: float = 1.0, workflow: str = "flow", on: str = "threads") -> RunStarted:
    """Make the first event of a log."""
    return RunStarted(1, at, workflow, (), {}, on)


def calls(first: int, number: int) -> list[Event]:
    """Make so many events of calls, from that seq on."""
    return [
        CallStarted(seq, float(seq), f"f-{seq}", 1, "w") for seq in range(first, first + number)
    ]


class StoreContract(CacheContract, MarksContract):
    """The contract of stores, as a class of tests for pytest.

    Make a subclass whose name begins with ``Test``, and give it a `make`, and a `reopen` if what
    is written outlives the store object.

    Example:
        >>> class TestMyStore(StoreContract):
        ...     def make(self):
        ...         self.where = tempfile.mkdtemp()
        ...         return MyStore(self.where)
        ...     def reopen(self, store):
        ...         store.close()
        ...         return MyStore(self.where)
    """

    def make(self) -> Store:
        """Make an empty store for one test. To be written by the subclass."""
        message = f"{type(self).__name__} has no make method: write def make(self)"
        raise DefinitionError(message)

    def reopen(self, store: Store) -> Store:
        """Give the store as another process would find it; as it is if it lives in memory."""
        return store

    def setup_method(self) -> None:
        """Begin a test."""
        self.store = self.make()

    def teardown_method(self) -> None:
        """End a test."""
        self.store.close()

    def _reopen(self) -> None:
        self.store = self.reopen(self.store)

    def _log(self, run: str, after: int = 0) -> list[Event]:
        return list(self.store.events(run, after))

    def _conflict(self, run: str, events: Sequence[Event], what: str) -> None:
        before = self._log(run)
        raises(StoreConflict, lambda: self.store.append(run, events), what)
        equal(self._log(run), before, "the log after a conflict")

    # ------------------------------------------------------------ logs

    def test_it_says_where_it_is(self) -> None:
        """`path` is for messages."""
        true(self.store.path, "it should have a path")

    def test_events_come_back_as_they_were_written(self) -> None:
        """Every kind of event, every kind of stored value, same types: also when opened anew."""
        self.store.create("run", EVENTS[0])  # type: ignore[arg-type]
        self.store.append("run", EVENTS[1:5])
        self.store.append("run", EVENTS[5:])
        for _ in range(2):
            equal(self._log("run"), list(EVENTS), "the log")
            self._reopen()

    def test_a_log_can_be_read_from_any_event_on(self) -> None:
        """`events(run, after)` gives those with a higher seq, whatever was appended together."""
        self.store.create("run", started())
        seq = 2
        for number in (1, 3, 1, 7, 2, 600, 1, 1):
            self.store.append("run", calls(seq, number))
            seq += number
        wanted = list(range(1, seq))
        for after in (0, 1, 2, 3, 5, 6, 7, 12, 15, 16, 100, seq - 3, seq - 2, seq - 1, seq, 10**6):
            found = [event.seq for event in self._log("run", after)]
            equal(found, wanted[after:], f"the events after {after}")

    def test_a_long_log_of_small_appends_is_read_whole(self) -> None:
        """Paging loses and repeats nothing."""
        self.store.create("run", started())
        for seq in range(2, 1_203):
            self.store.append("run", calls(seq, 1))
        for _ in range(2):
            equal([e.seq for e in self._log("run")], list(range(1, 1_203)), "the log")
            equal([e.seq for e in self._log("run", 777)], list(range(778, 1_203)), "its end")
            self._reopen()

    def test_reading_sees_what_was_written_meanwhile_or_not_but_no_gap(self) -> None:
        """A log that grows while it is read gives a beginning of itself."""
        self.store.create("run", started())
        self.store.append("run", calls(2, 300))
        reader = self.store.events("run")
        found = [next(reader).seq for _ in range(10)]
        self.store.append("run", calls(302, 300))
        found += [event.seq for event in reader]
        equal(found, list(range(1, len(found) + 1)), "the seqs read")
        true(len(found) in {301, 601}, f"appends should be seen whole: {len(found)} events")

    def test_runs_do_not_mix(self) -> None:
        """Each run has a log of its own."""
        for run in ("one", "two"):
            self.store.create(run, started(workflow=run))
        self.store.append("two", calls(2, 2))
        self.store.append("one", calls(2, 1))
        equal([len(self._log(run)) for run in ("one", "two")], [2, 3], "how long the logs are")
        equal([vars_of(self._log(run)[0]) for run in ("one", "two")], ["one", "two"], "workflows")

    def test_an_unknown_run_is_not_found(self) -> None:
        """Reading and writing it raise RunNotFound, at the call itself, and name it."""
        for act in (
            lambda: self.store.events("nowhere"),
            lambda: self.store.append("nowhere", calls(2, 1)),
        ):
            error = raises(RunNotFound, act, "an unknown run")
            true("nowhere" in str(error), f"the message should name the run: {error}")

    # ------------------------------------------------------------ one writer

    def test_a_run_is_created_once(self) -> None:
        """A second run of the same id is a StoreConflict, and changes nothing."""
        self.store.create("run", started(workflow="first"))
        for _ in range(2):
            again = started(workflow="second")
            raises(StoreConflict, lambda e=again: self.store.create("run", e), "a second run")  # type: ignore[misc]
            equal(vars_of(self._log("run")[0]), "first", "the workflow")
            equal(len(self.store.runs()), 1, "how many runs there are")
            self._reopen()

    def test_only_the_next_event_can_be_appended(self) -> None:
        """One that is there already, or that leaves a gap, is a StoreConflict."""
        self.store.create("run", started())
        self._conflict("run", calls(1, 1), "an event in the place of the first")
        self.store.append("run", calls(2, 3))
        for first, number in ((2, 1), (2, 10), (4, 1), (4, 5), (6, 1), (100, 2)):
            self._conflict("run", calls(first, number), f"event {first} where 5 is next")
        self._conflict("run", [RunResumed(2, 1.0)], "an old writer that resumes")
        self._conflict("run", [RunClosed(7, 1.0, "failed")], "a close after a gap")
        equal(self.store.runs()[0].status, "running", "the status after refused events")
        self.store.append("run", calls(5, 1))

    def test_of_two_writers_one_wins(self) -> None:
        """Threads that append the same event: it is there once, and all others hear of it."""
        self.store.create("run", started())
        won, lost = _race(8, lambda n: self.store.append("run", [CallStarted(2, n, "f", n, "w")]))
        equal((len(won), len(lost)), (1, 7), "how many won and lost")
        equal([e.seq for e in self._log("run")], [1, 2], "the log")
        equal(self._log("run")[1].at, won[0], "whose event it is")

    def test_of_two_creators_one_wins(self) -> None:
        """Threads that create the same run: it is there once."""
        won, lost = _race(8, lambda n: self.store.create("run", started(at=n)))
        equal((len(won), len(lost)), (1, 7), "how many won and lost")
        equal(self._log("run")[0].at, won[0], "whose run it is")

    def test_threads_may_write_different_runs(self) -> None:
        """Every method may be called from any thread."""

        def drive(n: int) -> None:
            run = f"run-{n}"
            self.store.create(run, started())
            for seq in range(2, 40):
                self.store.append(run, calls(seq, 1))
                self.store.get(self.store.put(f"{run} {seq % 3}".encode()))
                self.store.runs(limit=3)
            equal(len(self._log(run)), 39, "the log")

        won, _ = _race(6, drive)
        equal(len(won), 6, "how many threads got through")

    # ------------------------------------------------------------ the list of runs

    def test_runs_are_listed_latest_first(self) -> None:
        """By the order of creation, at most `limit` of them."""
        equal(self.store.runs(), [], "the runs of an empty store")
        for number in range(5):
            # The clock may have been set back.
            self.store.create(f"run-{number}", started(at=100.0 - number, on="processes"))
        for _ in range(2):
            wanted = [f"run-{number}" for number in (4, 3, 2, 1, 0)]
            for limit, number in ((None, 5), (0, 0), (1, 1), (3, 3), (5, 5), (99, 5)):
                found = [row.run for row in self.store.runs(limit)]
                equal(found, wanted[:number], f"the runs with limit {limit}")
            self._reopen()

    def test_a_row_tells_how_a_run_stands(self) -> None:
        """Running, closed with status and time, and running again once resumed."""
        self.store.create("run", started(at=5.0, workflow="flow", on="asyncio"))

        def row(status: str, closed: float | None) -> RunRow:
            return RunRow(
                run="run", workflow="flow", status=status, on="asyncio", created=5.0, closed=closed
            )

        seq = 2
        for status in ("failed", "cancelled", "completed"):
            equal(self.store.runs(), [row("running", None)], "a run under way")
            self.store.append("run", [*calls(seq, 2), RunClosed(seq + 2, 9.0, status)])
            equal(self.store.runs(), [row(status, 9.0)], "a closed run")
            self._reopen()
            equal(self.store.runs(), [row(status, 9.0)], "a closed run, opened anew")
            self.store.append("run", [RunResumed(seq + 3, 10.0), *calls(seq + 4, 1)])
            seq += 5
        self.store.append("run", [RunResumed(seq, 11.0), RunClosed(seq + 1, 12.0, "failed")])
        equal(self.store.runs(), [row("failed", 12.0)], "a run resumed and closed at once")

    # ------------------------------------------------------------ blobs

    def test_blobs_come_back(self) -> None:
        """Any bytes, by the digest that `put` gave, which depends on the bytes alone."""
        blobs = [b"", b"\x00", b"a" * 1_000_000, bytes(range(256)), b"[1,2]"]
        names = [self.store.put(data) for data in blobs]
        for _ in range(2):
            equal([self.store.get(name) for name in names], blobs, "the blobs")
            self._reopen()
        equal([self.store.put(data) for data in blobs], names, "the digests the second time")
        equal(names, [digest(data) for data in blobs], "the digests")

    def test_blobs_may_come_in_parts(self) -> None:
        """What is kept is the parts as one, as they were when they were given."""
        first, last = bytearray(b"x" * 1_500_000), b"end"
        name = self.store.put(first, memoryview(last), b"", sync=False)
        whole = bytes(first) + last
        first[:5] = b"other"
        equal(name, digest(whole), "the digest")
        for _ in range(2):
            equal(self.store.get(name), whole, "the blob")
            equal(self.store.put(whole), name, "the digest of the whole")
            self._reopen()

    def test_blobs_may_be_mapped(self) -> None:
        """Where `open` gives a file, it has the bytes; it is the caller's, and stays readable."""
        data = b"x" * 2_000_000
        name = self.store.put(data)
        opened = self.store.open(name)
        if opened is not None:
            with os.fdopen(opened, "rb") as file:
                equal(file.read(), data, "what is in the file")
                raises(StoreError, lambda: self.store.open(digest(b"nobody put this")), "no blob")

    def test_a_missing_blob_is_an_error(self) -> None:
        """`get` raises StoreError and names it; names that lead elsewhere are none."""
        name = digest(b"nobody put this")
        error = raises(StoreError, lambda: self.store.get(name), "a missing blob")
        true(name in str(error), f"the message should name it: {error}")
        for bad in ("", "..", "../log.sqlite", "/etc/passwd", "a/b", "a\x00b"):
            raises(StoreError, lambda b=bad: self.store.get(b), f"the name {bad!r}")  # type: ignore[misc]

    # ------------------------------------------------------------ text

    def test_names_are_kept_exactly(self) -> None:
        """Whatever run, workflow and place are called, they come back as they were."""
        for text in HOSTILE:
            self.store.create(f"r{text}", started(workflow=text, on=text))
            self.store.append(f"r{text}", [CallScheduled(2, 1.0, text, text, (text,), {"k": text})])
        for _ in range(2):
            rows = self.store.runs()[::-1]
            equal([row.run for row in rows], [f"r{text}" for text in HOSTILE], "the ids")
            equal([row.workflow for row in rows], list(HOSTILE), "the workflows")
            equal([row.on for row in rows], list(HOSTILE), "the places")
            for text in HOSTILE:
                wanted = CallScheduled(2, 1.0, text, text, (text,), {"k": text})
                equal(self._log(f"r{text}")[1], wanted, "the event")
            self._reopen()

    # ------------------------------------------------------------ the end

    def test_closing_twice_is_closing_once(self) -> None:
        """After `close`, each method works as before or raises StoreError."""
        self.store.create("run", started())
        name = self.store.put(b"x")
        self.store.close()
        self.store.close()
        acts: list[Callable[[], object]] = [
            lambda: self.store.create("other", started()),
            lambda: self.store.append("run", calls(2, 1)),
            lambda: list(self.store.events("run")),
            self.store.runs,
            lambda: self.store.put(b"y"),
            lambda: self.store.get(name),
        ]
        for act in acts:
            try:
                act()
            except StoreError as error:
                true("closed" in str(error), f"it should say that the store is closed: {error}")


def vars_of(event: Event) -> object:
    """Give the workflow of a run's first event."""
    return event.workflow if isinstance(event, RunStarted) else event


def _race(number: int, act: Callable[[int], object]) -> tuple[list[float], list[StoreConflict]]:
    """Have threads do something at once; give who succeeded, and the conflicts of the others."""
    won: list[float] = []
    lost: list[StoreConflict] = []
    barrier = threading.Barrier(number)

    def go(n: int) -> None:
        barrier.wait()
        try:
            act(n)
        except StoreConflict as error:
            lost.append(error)
        else:
            won.append(n)

    threads = [threading.Thread(target=go, args=(n,)) for n in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return won, lost
