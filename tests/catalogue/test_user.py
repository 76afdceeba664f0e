"""U: what people's code does to a run, and what a run does about it."""

from __future__ import annotations

import gc
import itertools
import os
import re
import signal
import socket
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.core.events import CallFailed, CallStarted, CallSucceeded, CallWrote
from nbflow.core.payload import Blob
from nbflow.core.workflow import Place
from nbflow.engine import sizes
from nbflow.running.config import settings
from nbflow.testing import Gate
from nbflow.testing.checks import eventually
from tests.catalogue import deeds
from tests.catalogue.conftest import WAIT


def outcome(fn: Any, *args: Any, **options: Any) -> tuple[nbflow.Run[Any], Any]:
    """Run one call of a function, and give its run and its value or error."""
    called = nbflow.activity(name="act", **options)(fn)

    @nbflow.workflow
    def flow() -> Any:
        return called(*args)

    run = flow.start()
    try:
        return run, run.result(WAIT)
    except BaseException as error:
        return run, error


def of(run: nbflow.Run[Any], kind: Any) -> list[Any]:
    """Give the events of one kind."""
    return [event for event in run.events() if isinstance(event, kind)]


# -------------------------------------------------------------------- failing


def test_u01_what_raises_costs_what_depends_on_it_and_nothing_else(place, tmp_path):
    """Of a diamond, one arm raises: the other one runs, the join is skipped, the text is kept."""
    ledger = str(tmp_path / "ledger")

    def wrote(name: str) -> str:
        with Path(ledger).open("a") as file:
            file.write(f"{name}\n")
        return name

    top = nbflow.activity(name="top")(wrote)
    good = nbflow.activity(name="good")(lambda _: wrote("good"))
    join = nbflow.activity(name="join")(lambda *_: wrote("join"))

    @nbflow.activity
    def bad(_: str) -> str:
        wrote("bad")
        raise LookupError("no such row")

    @nbflow.workflow
    def diamond() -> Any:
        start = top("top")
        fine = good(start)
        joined = join(fine, bad(start))
        fine.result()
        return joined

    run = diamond.start()
    with pytest.raises(LookupError, match="no such row") as caught:
        run.result(WAIT)
    assert "bad-1" in " ".join(caught.value.__notes__)
    assert {c.id: c.status for c in run.calls.values()} == {
        "top-1": "done",
        "good-1": "done",
        "bad-1": "failed",
        "join-1": "skipped",
    }
    assert sorted(Path(ledger).read_text().split()) == ["bad", "good", "top"]
    (failed,) = of(run, CallFailed)
    assert failed.error.frames[-1].source == 'raise LookupError("no such row")'


def test_u03_what_hangs_is_stopped_in_a_process_and_left_behind_in_a_thread(place):
    """A time limit ends the call in time; where the code could not be stopped the log says so."""
    began = time.monotonic()
    run, error = outcome(lambda: threading.Event().wait(60), timeout=0.4)
    assert isinstance(error, nbflow.ActivityTimeout)
    assert time.monotonic() - began < 10
    (failed,) = of(run, CallFailed)
    assert failed.abandoned is (place == "threads")
    assert outcome(lambda: "next")[1] == "next"


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("fn", [deeds.endless, deeds.catastrophic], ids=["python", "c"])
def test_u04_what_holds_the_interpreter_is_killed_in_a_process(fn):
    """An endless loop in Python or in C, which no exception reaches, ends at its time limit."""
    began = time.monotonic()
    run, error = outcome(fn, timeout=0.4)
    assert isinstance(error, nbflow.ActivityTimeout)
    assert time.monotonic() - began < 10
    assert [failed.abandoned for failed in of(run, CallFailed)] == [False]


@pytest.mark.parametrize("kind", [SystemExit, GeneratorExit])
def test_u05_an_exit_is_the_calls_failure(place, kind):
    """``sys.exit()`` in an activity ends neither a worker nor this process."""

    def leave() -> None:
        raise kind("leaving")

    run, error = outcome(leave)
    assert type(error) is kind
    assert run.status == "failed"
    assert outcome(lambda: "next")[1] == "next"


def dies(fn: Any, gate: Gate) -> tuple[nbflow.Run[Any], BaseException, Any]:
    """Run a call that ends its process beside one that does not; give run, error, neighbour."""
    crash = nbflow.activity(name="crash")(fn)

    @nbflow.activity
    def neighbour() -> str:
        gate.enter()
        return "well"

    @nbflow.workflow
    def flow() -> Any:
        beside, broken = neighbour(), crash()
        return str(type(broken.exception()).__name__), beside.result()

    run = flow.start()
    gate.wait_for(1)
    eventually(lambda: run.calls["crash-1"].status == "failed", "the crash is noticed", WAIT)
    gate.open()
    name, beside = run.result(WAIT)
    assert name == "WorkerDied"
    error = run.calls["crash-1"].error
    assert error is not None
    return run, error, beside


@pytest.mark.usefixtures("processes")
def test_u06_a_process_that_exits_costs_its_own_call(gate):
    """``os._exit(3)``: the call fails with the exit code, its neighbour and the pool do not."""
    _, error, beside = dies(deeds.leaves, gate)
    assert isinstance(error, nbflow.WorkerDied)
    assert "exited with code 3" in str(error)
    assert beside == "well"
    assert outcome(lambda: "next")[1] == "next"


@pytest.mark.usefixtures("processes")
def test_u07_a_segfault_costs_its_own_call_and_is_named(gate):
    """The signal is in the message; the pool goes on."""
    _, error, beside = dies(deeds.segfaults, gate)
    assert "SIGSEGV" in str(error)
    assert beside == "well"
    assert outcome(lambda: "next")[1] == "next"


@pytest.mark.usefixtures("processes")
def test_u08_a_kill_for_memory_is_named_and_not_tried_again(gate):
    """SIGKILL, as the kernel's: likely memory, with the most that the process used; one attempt."""
    run, error, _ = dies(deeds.is_killed, gate)
    assert "SIGKILL" in str(error)
    assert "memory" in str(error)
    (failed,) = of(run, CallFailed)
    assert failed.attempt == 1
    assert failed.retry_at is None
    assert failed.report.memory > 1_000_000


@pytest.mark.parametrize(
    ("fn", "kind"),
    [(deeds.has_no_memory, MemoryError), (deeds.recurses, RecursionError)],
    ids=["memory", "recursion"],
)
def test_u10_errors_of_the_interpreter_are_ordinary_failures(fn, kind):
    """MemoryError and RecursionError arrive as themselves; the same process takes the next call."""
    nbflow.configure(on="processes", max_workers=1)
    before = outcome(os.getpid)[1]
    assert type(outcome(fn)[1]) is kind
    assert outcome(os.getpid)[1] == before


# -------------------------------------------------------------------- values


@pytest.mark.timeout(120)
def test_u11_a_huge_result_is_a_file_with_a_warning_and_may_be_refused(disk):
    """From 64 MiB on the run's log says how large; over what is allowed the call fails."""
    size = 70 * 1024 * 1024
    run, value = outcome(lambda: bytes(size))
    assert len(value) == size
    (done,) = of(run, CallSucceeded)
    assert isinstance(done.result, Blob)
    assert (disk / "log.sqlite").stat().st_size < 1_000_000
    assert "the result of act-1 has 73.4 MB" in run.output()
    nbflow.configure(largest_result=50_000_000)
    try:
        _, error = outcome(lambda: bytes(size))
        assert isinstance(error, nbflow.Unserialisable)
        assert "73.4 MB, and 50.0 MB are allowed" in str(error)
        assert "largest_result" in str(error)
        assert outcome(lambda: bytes(1000))[1] == bytes(1000)
    finally:
        nbflow.configure(largest_result=float("inf"))
    with pytest.raises(nbflow.DefinitionError, match="largest_result is -1: it is a number"):
        nbflow.configure(largest_result=-1)


def test_u12_no_value_and_no_turn_is_too_large_for_the_database(disk):
    """SQLite's limit on a row is met neither by one large value nor by many middling ones."""
    database = settings.open_store()._db  # type: ignore[attr-defined]
    limit = 40_000_000
    database.setlimit(0, limit)  # SQLITE_LIMIT_LENGTH, a gigabyte by default

    @nbflow.activity
    def measure(text: str) -> int:
        return len(text)

    @nbflow.workflow
    def flow() -> int:
        calls = [measure(f"{n:05}" + "x" * 60_000) for n in range(1000)]  # 60 MB in one turn
        return sum(call.result() for call in calls)

    assert flow.start().result(WAIT) == 1000 * 60_005
    _, value = outcome(lambda: "y" * (limit + 1))
    assert len(value) == limit + 1


def test_u13_a_flood_of_output_is_cut_with_a_count(place):
    """A print without end costs neither log nor memory: head, and how much was left out."""

    def flood() -> None:
        line = "x" * 1000
        for _ in range(20_000):
            print(line)

    run, _ = outcome(flood)
    texts = of(run, CallWrote)
    assert sum(len(event.text) for event in texts) < 80_000
    assert re.search(r"[\d,]+ (more )?characters", texts[-1].text), texts[-1].text


class Holder:
    def __init__(self) -> None:
        self.conn = threading.Lock()


@pytest.mark.parametrize(
    ("value", "path", "kind"),
    [
        ([1, {"conn": Holder()}], "[1]['conn'].conn", "lock"),
        ({"rows": (n for n in range(3))}, "['rows']", "generator"),
        ((1, socket.socket), "", ""),
    ],
    ids=["lock", "generator", "class"],
)
def test_u14_an_argument_that_cannot_be_stored_is_named_with_its_path(value, path, kind):
    """It fails where the call is written, before anything runs, and says which part it is."""
    run, found = outcome(lambda *_: "ran", 0, value)
    if not path:
        assert found == "ran"  # a class can be imported: that is no lock
        return
    assert isinstance(found, nbflow.Unserialisable)
    assert "argument 1 of act-1 cannot be stored" in str(found)
    assert f"The culprit is {path}, of type {kind}: leave it out" in str(found)
    assert len(run.calls) == 0


@pytest.mark.parametrize("fn", [deeds.gives_lock, deeds.gives_lambda], ids=["lock", "lambda"])
def test_u15_a_result_that_cannot_be_stored_says_that_it_ran(place, fn):
    """The call fails as Unserialisable, and the note says that its effects have happened."""
    _, error = outcome(fn)
    assert isinstance(error, nbflow.Unserialisable)
    assert "the result of act-1 cannot be stored" in str(error)
    assert "lock" in str(error)
    assert any("side effects have happened" in note for note in error.__notes__)


@pytest.mark.parametrize(
    ("fn", "text"),
    [
        (deeds.raises_two, "TwoArguments: 1 and 2"),
        (deeds.raises_lock, "ValueError: .*holds a lock"),
    ],
    ids=["two arguments", "lock"],
)
def test_u16_an_exception_that_cannot_travel_is_described(place, fn, text):
    """Type, text and traceback arrive, and neither the worker nor its neighbours are lost."""
    run, error = outcome(fn)
    assert isinstance(error, nbflow.RemoteError)
    assert re.search(text, str(error))
    (failed,) = of(run, CallFailed)
    assert failed.error.frames
    assert outcome(lambda: "next")[1] == "next"


def test_u17_a_result_that_exits_when_it_is_loaded_fails_who_loads_it(place):
    """``SystemExit`` at load is the failure of the call that takes the value; nothing ends."""

    @nbflow.activity
    def give() -> object:
        return deeds.LeavesWhenLoaded()

    @nbflow.activity
    def take(_: object) -> str:
        return "taken"

    @nbflow.workflow
    def flow() -> str:
        return type(take(give()).exception()).__name__

    assert flow.start().result(WAIT) == "SystemExit"
    assert outcome(lambda: "next")[1] == "next"


async def _asynchronous() -> Any:
    yield 1


def _gives_asynchronous() -> Any:
    return _asynchronous()


_ITERATORS = {
    "generator": lambda: (n for n in range(3)),
    "async generator": _gives_asynchronous,
    "list iterator": lambda: iter([1, 2]),
    "map": lambda: map(str, [1]),
    "zip": lambda: zip([1], [2], strict=True),
    "itertools": lambda: itertools.chain([1]),
    "reversed": lambda: reversed([1, 2]),
}


@pytest.mark.parametrize("kind", _ITERATORS)
def test_u18_what_can_be_read_only_once_is_refused(kind):
    """Whoever reads it first would use it up for the others: the message says ``list(...)``."""
    _, error = outcome(_ITERATORS[kind])
    assert isinstance(error, nbflow.Unserialisable)
    assert "can be read only once: return list(...)" in str(error)


def test_u18_a_value_that_happens_to_be_an_iterator_is_kept():
    """A buffer of bytes has a position, and yet is a value like another."""
    import io

    _, value = outcome(lambda: io.BytesIO(b"a\nb\n"))
    assert value.read() == b"a\nb\n"


def test_u19_a_function_that_gives_a_coroutine_is_awaited():
    """Whoever forgot ``async`` or ``await`` gets the value, and no warning about the coroutine."""

    async def later() -> str:
        return "awaited"

    def unmarked() -> Any:
        return later()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert outcome(unmarked)[1] == "awaited"
        gc.collect()


def test_u20_a_deeply_nested_result_is_refused_and_ends_nothing(place):
    """Pickle and JSON recurse: that is Unserialisable, which says to keep it flat."""
    _, error = outcome(deeds.gives_deep)
    assert isinstance(error, nbflow.Unserialisable)
    assert "nested too deeply" in str(error)
    assert outcome(lambda: "next")[1] == "next"


@pytest.mark.parametrize("on", ["inline", "threads", "processes", "asyncio"])
def test_u21_what_an_activity_does_to_an_argument_the_caller_does_not_see(on):
    """On each place the workflow's own list is as it was, and every attempt gets it so."""
    nbflow.configure(on=on)

    @nbflow.activity
    def spoil(rows: list[int], more: dict[str, Any]) -> int:
        rows.append(4)
        more["rows"].clear()
        return len(rows)

    @nbflow.workflow
    def flow() -> Any:
        rows = [1, 2, 3]
        more = {"rows": [1]}
        counts = [spoil(rows, more).result() for _ in range(2)]
        return counts, rows, more

    assert flow.start().result(WAIT) == ([4, 4], [1, 2, 3], {"rows": [1]})


def test_u24_a_large_global_that_each_run_copies_is_warned_of(notebook, monkeypatch):
    """The warning has name and size, and is at the line that starts the run."""
    assert sizes.LARGE_BYTES == 64 << 20
    monkeypatch.setattr("nbflow.running.large.LARGE_BYTES", 2_000_000)
    space = notebook(
        "import nbflow\n"
        "TABLE = bytes(3_000_000)\n"
        "SMALL = bytes(70_000)\n"
        "@nbflow.activity\n"
        "def size():\n"
        "    return len(TABLE) + len(SMALL)\n"
        "@nbflow.workflow\n"
        "def flow():\n"
        "    return size()\n"
    )
    with pytest.warns(RuntimeWarning, match=r"run of flow copies TABLE \(3\.0 MB\)") as caught:
        run = space["flow"].start()
    assert caught[0].filename == __file__
    assert "SMALL" not in str(caught[0].message)
    assert run.result(WAIT) == 3_070_000


# -------------------------------------------------------------------- code that changes


CELL = """
import nbflow, pathlib, time

@nbflow.activity(retry=1)
def fetch(gate, fail):
    path = pathlib.Path(gate)
    (path.parent / "began").touch()
    while not path.exists():
        time.sleep(0.005)
    if nbflow.context().attempt == 1 or fail:
        raise OSError("not yet")
    return "VERSION"

@nbflow.workflow
def flow(gate, fail=False):
    return fetch(gate, fail)
"""


def test_u26_a_cell_that_is_run_again_does_not_reach_a_run_under_way(notebook, tmp_path):
    """All attempts of a run have the code of its start; who resumes it later has that of then."""
    path = tmp_path / "open"
    space = notebook(CELL.replace("VERSION", "old"))
    run, failing = space["flow"].start(str(path)), space["flow"].start(str(path), fail=True)
    eventually((tmp_path / "began").exists, "the first attempt began")
    space = notebook(CELL.replace("VERSION", "new"))
    path.touch()
    assert run.result(WAIT) == "old"
    with pytest.raises(OSError, match="not yet"):
        failing.result(WAIT)
    mended = notebook(CELL.replace("VERSION", "mended").replace(" or fail", ""))["flow"]
    assert failing.resume(mended).result(WAIT) == "mended"


def test_u27_a_workflow_that_is_started_again_is_another_run(gate):
    """The first one goes on; each has an id, a log and a result of its own."""

    @nbflow.activity
    def hold(number: int) -> int:
        gate.enter()
        return number

    @nbflow.workflow
    def flow(number: int) -> int:
        return hold(number).result()

    first = flow.start(1)
    gate.wait_for(1)
    second = flow.start(2)
    gate.wait_for(2)
    assert first.id != second.id
    assert {row.run: row.status for row in nbflow.runs()} == {
        first.id: "running",
        second.id: "running",
    }
    gate.open()
    assert (first.result(WAIT), second.result(WAIT)) == (1, 2)


# -------------------------------------------------------------------- stopping


def test_u32_an_interrupt_of_an_activitys_own_is_its_failure(place):
    """``raise KeyboardInterrupt`` in an activity stops no cell and no run but its own."""

    def stop() -> None:
        raise KeyboardInterrupt("mine")

    run, error = outcome(stop)
    assert type(error) is KeyboardInterrupt
    assert run.status == "failed"
    assert [call.id for call in run.failed] == ["act-1"]
    assert outcome(lambda: "next")[1] == "next"


# -------------------------------------------------------------------- clocks, processes, threads


def test_u35_a_clock_that_is_set_does_not_show_in_durations(monkeypatch):
    """An hour back or forth during a call: it took as long as it took, and timers fire once."""
    real, shift = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + shift[0])

    @nbflow.activity
    def work(hours: float) -> None:
        shift[0] += hours * 3600
        threading.Event().wait(0.02)

    @nbflow.workflow
    def flow() -> str:
        work(-1).result()
        nbflow.sleep(0.05)
        work(2).result()
        nbflow.sleep(0.05)
        return "over"

    run = flow.start()
    assert run.result(WAIT) == "over"
    for done in of(run, CallSucceeded):
        assert 0.015 < done.run_ns * 1e-9 < 5
    fired = [e for e in run.events() if type(e).__name__ == "TimerFired"]
    assert len(fired) == 2


def test_u38_a_process_keeps_what_an_activity_changes_from_the_notebook(tmp_path):
    """Directory, environment, signal handlers: changed in the worker, untouched here."""
    nbflow.configure(on="processes", max_workers=1)
    home, handler = Path.cwd(), signal.getsignal(signal.SIGTERM)

    def change(to: str) -> str:
        os.chdir(to)
        os.environ["NBFLOW_TEST_LEAK"] = "leaked"
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        return str(Path.cwd())

    assert outcome(change, str(tmp_path))[1] == str(tmp_path)
    assert Path.cwd() == home
    assert "NBFLOW_TEST_LEAK" not in os.environ
    assert signal.getsignal(signal.SIGTERM) is handler
    assert outcome(os.getcwd)[1] == str(home)


def test_u39_a_run_inside_an_activity_works_with_few_threads():
    """Who waits for a run lends its thread, so that a pool of one does not wait for itself."""
    nbflow.configure(on="threads", max_workers=1)

    @nbflow.activity
    def descend(n: int) -> int:
        return 0 if n == 0 else nested.start(n - 1).result(WAIT) + 1

    @nbflow.workflow
    def nested(n: int) -> int:
        return descend(n).result()

    assert nested.start(5).result(WAIT) == 5
    with pytest.raises(nbflow.RunError, match=r"10 runs are within each other already.*Does this"):
        nested.start(50).result(WAIT)
    pool = settings.executor(Place())
    eventually(
        lambda: sum(getattr(t, "pool", None) is pool for t in threading.enumerate()) <= 1,
        "threads that were lent end",
    )


@pytest.mark.usefixtures("processes")
def test_u39_a_run_inside_a_process_is_refused():
    """A worker knows neither store nor settings: the message says what to do, nothing is left."""

    @nbflow.workflow
    def inner() -> int:
        return 1

    _, error = outcome(inner.start)
    assert isinstance(error, nbflow.RunError)
    assert "cannot start a run of inner" in str(error)
    assert "child run" in str(error)
    assert not Path(".nbflow").exists()


class Tool:
    def method(self, x: int) -> int:
        return 2 * x

    @staticmethod
    def static(x: int) -> int:
        return 2 * x


def _partial() -> Any:
    import functools

    return functools.partial(lambda x, y: x * y, 2)


@pytest.mark.parametrize(
    ("thing", "name"),
    [
        (Tool().method, None),
        (Tool.static, None),
        (lambda x: 2 * x, "double"),
        (_partial(), "double"),
        (float(2).__mul__, "double"),
    ],
    ids=["method", "static method", "lambda", "partial", "slot"],
)
def test_u40_what_can_be_called_can_be_an_activity(thing, name):
    """With a name where it has none of its own; it is the same in a run as outside."""
    made = nbflow.activity(name=name)(thing)
    value: Any = made(4)
    assert value == 8

    @nbflow.workflow
    def flow() -> Any:
        return made(4)

    assert flow.start().result(WAIT) == 8


def _generator(n: int) -> Any:
    yield n


async def _async_generator(n: int) -> Any:
    yield n


@pytest.mark.parametrize(
    ("thing", "text"),
    [
        (lambda x: x, "a function without a name needs one"),
        (_partial(), "a function without a name needs one"),
        (_generator, "is a generator: its values cannot be stored one by one.*as a list"),
        (_async_generator, "is a generator"),
        (7, "an activity is a function, not int"),
        (max, "its arguments are not known: write a function that calls it"),
        (Tool, "execute"),
    ],
    ids=["lambda", "partial", "generator", "async generator", "number", "builtin", "class"],
)
def test_u40_what_cannot_is_refused_where_it_is_decorated(thing, text):
    """With the reason, and what to do."""
    with pytest.raises(nbflow.DefinitionError, match=text):
        nbflow.activity(thing)


def test_u41_of_two_definitions_of_one_name_each_run_has_its_own(notebook):
    """The last one counts for the next run, with a notice in the notebook; a run keeps its own."""
    source = (
        "import nbflow\n@nbflow.activity\ndef f():\n    return {0}\n"
        "@nbflow.workflow\ndef flow():\n    return f()\n"
    )
    first = notebook(source.format(1))["flow"].start()
    assert first.result(WAIT) == 1
    assert notebook(source.format(2))["flow"].start().result(WAIT) == 2
    assert first.result(WAIT) == 1


@pytest.mark.usefixtures("processes")
def test_u43_warnings_and_records_of_a_worker_are_in_the_log_once():
    """With the call they come from; nothing is lost and nothing doubled."""
    import logging

    def tell() -> None:
        warnings.warn("careful, now", UserWarning, stacklevel=1)
        logging.getLogger("mine").warning("a record")

    run, _ = outcome(tell)
    texts = [event for event in of(run, CallWrote) if event.call == "act-1"]
    whole = "".join(event.text for event in texts)
    assert whole.count("careful, now") >= 1
    assert whole.count("UserWarning:") == 1
    assert whole.count("a record") == 1


def test_u02_each_attempt_and_its_next_time_are_recorded(place, tmp_path):
    """A call that fails twice and then succeeds: three attempts, and the value of the last one."""
    marks = str(tmp_path)

    def shaky() -> int:
        attempt = nbflow.context().attempt
        Path(marks, str(attempt)).touch(exist_ok=False)
        if attempt < 3:
            raise OSError(f"attempt {attempt}")
        return attempt

    run, value = outcome(shaky, retry=nbflow.Retry(attempts=5, wait=0.01, jitter=0))
    assert value == 3
    failed = of(run, CallFailed)
    assert [(f.attempt, f.error.message) for f in failed] == [(1, "attempt 1"), (2, "attempt 2")]
    assert all(f.retry_at is not None and f.retry_at > f.at - 1 for f in failed)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2", "3"]
    assert {s.attempt for s in of(run, CallStarted)} <= {1, 2, 3}


def test_u22_what_one_consumer_does_to_a_result_the_other_does_not_see(place):
    """Two calls append to the list that a third one gave: each has its own."""

    @nbflow.activity
    def give() -> list[str]:
        return ["given"]

    @nbflow.activity
    def append(rows: list[str], item: str) -> list[str]:
        rows.append(item)
        return rows

    @nbflow.workflow
    def flow() -> Any:
        rows = give()
        return [append(rows, "a"), append(rows, "b"), rows]

    assert flow.start().result(WAIT) == [["given", "a"], ["given", "b"], ["given"]]
