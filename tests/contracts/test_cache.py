"""Calls answered by earlier results: when, when not, and why, on every executor and store."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow import activity, workflow
from nbflow.core.decide import Close, decide
from nbflow.core.errors import StoreError
from nbflow.core.events import CallMissed, CallReused, CallSucceeded, RunClosed
from nbflow.core.eventtext import encode
from nbflow.core.graph import Graph
from nbflow.core.history import History
from nbflow.core.profile import Profile
from nbflow.running.config import settings
from nbflow.store.memory import MemoryStore
from nbflow.store.sqlite import SqliteStore
from nbflow.testing import Gate
from nbflow.testing.stores import started

ROOT = Path(__file__).parents[2]


class Ledger:
    """A file that calls write to when they run, in whatever process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def note(self, text: object) -> None:
        with self.path.open("a") as file:
            file.write(f"{text}\n")

    def take(self) -> list[str]:
        """Give what was written since it was last taken."""
        text = self.path.read_text()
        self.path.write_text("")
        return sorted(text.split())

    def __reduce__(self) -> Any:
        return Ledger, (self.path,)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger")


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Use a store of each kind."""
    made = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "store")
    nbflow.configure(store=made)
    yield made
    made.close()


def looked(run: nbflow.Run[Any]) -> dict[str, CallReused | CallMissed]:
    return {e.call: e for e in run.events() if isinstance(e, CallReused | CallMissed)}


def reasons(run: nbflow.Run[Any], call: str) -> tuple[str, ...]:
    event = looked(run)[call]
    assert isinstance(event, CallMissed)
    return event.reasons


@activity(cache=True)
def fetch(ledger: Ledger, region: str, rows: int = 3) -> list[str]:
    ledger.note(f"fetch-{region}")
    return [region] * rows


@activity(cache=True)
def total(ledger: Ledger, rows: list[str], rate: float) -> float:
    ledger.note("total")
    return len(rows) * rate


@workflow
def revenue(ledger: Ledger, regions: list[str], rate: float = 2.0) -> dict[str, float]:
    found = {r: total(ledger, fetch(ledger, r), rate) for r in regions}
    return {r: f.result() for r, f in found.items()}


def test_the_same_call_runs_once_wherever_it_runs(place, store, ledger):
    """A second run takes the first one's results, on every executor; the log says from where."""
    first = revenue.on(place).start(ledger, ["eu", "us"])
    assert first.result() == {"eu": 6.0, "us": 6.0}
    # The two totals are the same call when the rows are equal in length, but not in content.
    assert ledger.take() == ["fetch-eu", "fetch-us", "total", "total"]
    second = revenue.on(place).start(ledger, ["eu", "us"])
    assert second.result() == first.result()
    assert ledger.take() == []
    found = looked(second)
    assert {call: event.source for call, event in found.items()} == {  # type: ignore[union-attr]
        call: f"{first.id}/{call}" for call in ("fetch-1", "fetch-2", "total-1", "total-2")
    }
    assert [second.calls[call].status for call in found] == ["done"] * 4
    assert all(second.calls[call].cached for call in found)
    assert second.calls["fetch-1"].result == ["eu", "eu", "eu"]


def test_places_share_results(store, ledger):
    """What threads have computed, processes need not compute again."""
    for place in ("threads", "processes", "inline", "asyncio"):
        assert revenue.on(place).start(ledger, ["eu"]).result() == {"eu": 6.0}
    assert ledger.take() == ["fetch-eu", "total"]


def test_an_activity_that_is_not_cached_runs(store, ledger):
    """Without ``cache=True`` nothing is looked up, kept or noted."""

    @activity
    def plain(ledger: Ledger) -> int:
        ledger.note("plain")
        return 1

    @workflow
    def flow(ledger: Ledger) -> Any:
        return plain(ledger)

    for _ in range(2):
        run = flow(ledger)
        assert run.result() == 1
        assert looked(run) == {}
        assert run.why()["plain-1"].group == "plain"
    assert ledger.take() == ["plain", "plain"]
    assert nbflow.cache.list() == []


def test_options_switch_the_cache(store, ledger):
    """``.options(cache=...)`` gives a copy that uses it, or does not."""

    @workflow
    def flow(ledger: Ledger, cache: bool) -> Any:
        return fetch.options(cache=cache)(ledger, "eu")

    for cache in (True, False, True):
        flow(ledger, cache).result()
    assert ledger.take() == ["fetch-eu", "fetch-eu"]


def test_activities_share_nothing_under_other_names(store, ledger):
    """The same function as another activity has results of its own."""

    @workflow
    def flow(ledger: Ledger, name: str) -> Any:
        return fetch.options(name=name)(ledger, "eu")

    for name in ("one", "two", "one"):
        flow(ledger, name).result()
    assert ledger.take() == ["fetch-eu", "fetch-eu"]
    assert {row.activity for row in nbflow.cache.list()} == {"one", "two"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param({"rate": 3.0}, "argument: rate: 2.0 -> 3.0", id="value"),
        pytest.param({"rate": 2}, "argument: rate: 2.0 -> 2", id="type"),
    ],
)
def test_another_argument_is_another_call(store, ledger, change, says):
    """A changed argument, if only in its type, makes the call run and is named."""
    revenue(ledger, ["eu"]).result()
    ledger.take()
    run = revenue(ledger, ["eu"], **change)
    run.result()
    assert ledger.take() == ["total"]
    assert reasons(run, "total-1") == (says,)


def test_how_arguments_are_written_does_not_count(store, ledger):
    """By place, by name, in another order, or left to the default: the same call."""

    @workflow
    def flow(ledger: Ledger) -> Any:
        first = fetch(ledger, "eu").result()
        more = [
            fetch(ledger, "eu", 3),
            fetch(ledger, region="eu"),
            fetch(rows=3, region="eu", ledger=ledger),
        ]
        return [first, *[f.result() for f in more]]

    assert flow(ledger).result() == [["eu"] * 3] * 4
    assert ledger.take() == ["fetch-eu"]


def test_an_upstream_result_counts_by_its_value(store, ledger):
    """The same value from a call that ran again is the same input; another is named by its call."""
    given: list[int] = [1]

    @activity
    def source(n: int) -> list[int]:
        return [n % 10]

    @activity(cache=True)
    def double(ledger: Ledger, rows: list[int]) -> int:
        ledger.note("double")
        return 2 * rows[0]

    @workflow
    def flow(ledger: Ledger, n: int) -> Any:
        return double(ledger, source(n))

    assert [flow(ledger, n).result() for n in (1, 11, 2)] == [2, 2, 4]
    assert ledger.take() == ["double", "double"]
    run = flow(ledger, 3)
    run.result()
    (reason,) = reasons(run, "double-1")
    assert reason == "upstream: source-1 gave another value (rows: [2] -> [3])"
    assert given == [1]


def test_large_results_are_reused_from_their_blobs(store, ledger):
    """A result beside the log answers a later call, and is an input by its digest."""

    @activity(cache=True)
    def big(ledger: Ledger, n: int) -> bytes:
        ledger.note("big")
        return bytes([n]) * 2_000_000

    @activity(cache=True)
    def size(ledger: Ledger, data: bytes) -> int:
        ledger.note("size")
        return len(data) + data[0]

    @workflow
    def flow(ledger: Ledger, n: int) -> Any:
        return size(ledger, big(ledger, n))

    for n, ran in ((1, ["big", "size"]), (1, []), (2, ["big", "size"]), (1, [])):
        assert flow(ledger, n).result() == 2_000_000 + n
        assert ledger.take() == ran


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        pytest.param(Path.unlink, "missing", id="missing"),
        pytest.param(lambda path: path.write_bytes(b"x"), "damaged", id="damaged"),
    ],
)
def test_a_lost_blob_is_a_miss_that_says_so(tmp_path, ledger, spoil, says):
    """The call runs again, says why, and its result takes the place of the lost one."""
    nbflow.configure(store=tmp_path / "store")

    @activity(cache=True)
    def big(ledger: Ledger) -> bytes:
        ledger.note("big")
        return b"x" * 200_000

    @workflow
    def flow(ledger: Ledger) -> int:
        return len(big(ledger).result())

    flow(ledger).result()
    for path in (tmp_path / "store" / "blobs").glob("*/*"):
        spoil(path)
    run = flow(ledger)
    assert run.result() == 200_000
    assert reasons(run, "big-1")[0].startswith("lost: the result of big-1 in flow-")
    assert says in reasons(run, "big-1")[0]
    assert flow(ledger).result() == 200_000
    assert ledger.take() == ["big", "big"]


def test_failures_are_not_kept(store, ledger):
    """A call that failed runs again; one that succeeds at its second attempt is kept."""
    faults = [True, True]

    @activity(cache=True)
    def shaky(ledger: Ledger, path: Path) -> int:
        ledger.note("shaky")
        if not path.exists():
            path.touch()
            raise OSError("not yet")
        return 1

    @workflow
    def flow(ledger: Ledger, path: Path, retry: int) -> Any:
        return shaky.options(retry=retry)(ledger, path)

    one, other = ledger.path.with_name("one"), ledger.path.with_name("other")
    with pytest.raises(OSError, match="not yet"):
        flow(ledger, one, 0).result()
    assert nbflow.cache.list() == []
    assert flow(ledger, one, 0).result() == flow(ledger, one, 0).result() == 1
    assert flow(ledger, other, 1).result() == flow(ledger, other, 1).result() == 1
    assert ledger.take() == ["shaky"] * 4
    assert all(faults)


def test_what_cannot_be_compared_is_a_miss_that_names_it(store, ledger):
    """An argument or a global without a value: the call runs, and says which and what to do."""
    lock = threading.Lock()

    @activity(cache=True)
    def locked(ledger: Ledger) -> bool:
        ledger.note("locked")
        return lock.locked()

    @activity(cache=True)
    def viewed(ledger: Ledger, view: Any) -> int:
        ledger.note("viewed")
        return int(view.size)

    @workflow
    def flow(ledger: Ledger) -> Any:
        return [locked(ledger), viewed(ledger, View(5))]

    for _ in range(2):
        run = flow.on("inline").start(ledger)
        assert run.result() == [False, 5]
    assert ledger.take() == ["locked", "locked", "viewed", "viewed"]
    assert nbflow.cache.list() == []
    (first,), (second,) = reasons(run, "locked-1"), reasons(run, "viewed-1")
    assert first.startswith("never: global lock in ")
    assert "a lock has no value to compare" in first
    assert "make it in the activity" in first
    assert second.startswith("never: argument view: ")
    assert run.why()["viewed-1"].group == "never"


LOCK = threading.Lock()


class Locking:
    """Has no state to speak of, and a method that reaches a lock."""

    def hold(self) -> bool:
        return LOCK.locked()


def test_the_code_of_an_argument_counts(store, ledger):
    """An object's class is looked into as the activity's own code is, and what hinders is named."""

    @activity(cache=True)
    def use(ledger: Ledger, tools: list[Locking]) -> bool:
        ledger.note("use")
        return tools[0].hold()

    @workflow
    def flow(ledger: Ledger) -> Any:
        return use(ledger, [Locking()])

    run = flow(ledger)
    assert run.result() is False
    (said,) = reasons(run, "use-1")
    assert said.startswith("never: argument tools[0]: its code reaches ")
    assert "LOCK, and a lock has no value to compare" in said


class View:
    """Can be stored, but not compared."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __reduce_ex__(self, protocol: Any) -> Any:
        if threading.current_thread().name.startswith("nbflow-cache"):
            raise TypeError("looking at it is not allowed")
        return View, (self.size,)


def test_the_first_of_two_equal_calls_is_kept(store, ledger, tmp_path):
    """Two runs that compute the same at once both run; the result of the first one is kept."""
    gates = [Gate(tmp_path / "one"), Gate(tmp_path / "two")]

    @activity(cache=True)
    def slow(path: Path) -> str:
        Gate(gates[int(path.read_text())].directory).enter()
        return path.read_text()

    @workflow
    def flow(path: Path) -> Any:
        return slow(path)

    path = tmp_path / "which"
    path.write_text("0")
    first = flow(path)
    gates[0].wait_for(1)
    path.write_text("1")
    second = flow(path)
    gates[1].wait_for(1)
    gates[1].open()
    second.result()
    gates[0].open()
    first.result()
    (row,) = nbflow.cache.list()
    assert row.run == second.id
    third = flow(path)
    assert third.result() == second.result()
    event = looked(third)["slow-1"]
    assert isinstance(event, CallReused)
    assert event.source == f"{second.id}/slow-1"


def test_a_run_keeps_what_it_took_when_the_cache_is_cleared(store, ledger):
    """What was reused is in the run's own log: a resume needs the cache no more."""
    fail = ledger.path.with_name("fail")

    @activity
    def check(rows: list[str], fail: Path) -> int:
        if fail.exists():
            raise OSError("come back later")
        return len(rows)

    @workflow
    def flow(ledger: Ledger, fail: Path) -> Any:
        rows = fetch(ledger, "eu")
        return check(rows, fail), rows.result()

    flow(ledger, fail).result()
    fail.touch()
    run = flow(ledger, fail)
    with pytest.raises(OSError, match="come back"):
        run.result()
    assert nbflow.cache.clear(all=True).results == 1
    fail.unlink()
    assert run.resume(flow).result() == (3, ["eu"] * 3)
    assert ledger.take() == ["fetch-eu"]


def test_rerun_means_it(store, ledger):
    """A call that somebody asks to run anew does, cached or not, and is kept instead."""
    run = revenue(ledger, ["eu"])
    run.result()
    ledger.take()
    run.rerun("fetch-1", workflow=revenue).result()
    assert ledger.take() == ["fetch-eu"]
    kept = nbflow.cache.list("fetch")[0]
    done = [e for e in run.events() if isinstance(e, CallSucceeded) and e.call == "fetch-1"]
    assert len(done) == 2
    assert kept.at == done[-1].at
    assert looked(run)["fetch-1"].reasons == ("again: it was asked to run anew",)  # type: ignore[union-attr]


def test_folds_agree_on_reused_calls(store, ledger):
    """History, Graph, Profile and decide take a reused call for one that is done."""
    revenue(ledger, ["eu", "us"]).result()
    run = revenue(ledger, ["eu", "us"])
    run.result()
    log = list(run.events())
    history, graph, profile = History.of(log), Graph.of(log), Profile.of(log)
    assert {state.status for state in history.calls.values()} == {"done"}
    assert [(node.status, node.cached) for node in graph if not node.join] == [("done", True)] * 4
    assert profile.bars == []
    assert len(graph.edges) >= 2
    for end in range(1, len(log) - 1):
        settled = History.of(log[:end]).settled
        commands = decide(revenue.fn, log[:end], 0.0)
        assert {getattr(c, "call", None) for c in commands}.isdisjoint(settled)
        assert not any(isinstance(c, Close) for c in commands if len(settled) < 4)
    (closed,) = decide(revenue.fn, log[:-1], 0.0)
    last = log[-1]
    assert isinstance(closed, Close)
    assert isinstance(last, RunClosed)
    assert closed.result == last.result


# -------------------------------------------------------------------- declared inputs


def test_files_count_by_their_content(store, ledger, tmp_path, monkeypatch):
    """A file, also one named by an argument, a pattern or a directory, counts by what is in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "a.ini").write_text("1")

    @activity(cache=True, cache_key={"files": ["{name}.csv", "conf/*.ini", "conf"]})
    def read(ledger: Ledger, name: str) -> int:
        ledger.note("read")
        return 1

    @workflow
    def flow(ledger: Ledger, name: str) -> Any:
        return read(ledger, name)

    def change(path: str, text: str) -> tuple[list[str], tuple[str, ...]]:
        (tmp_path / path).write_text(text)
        run = flow(ledger, "data")
        run.result()
        missed = [e for e in looked(run).values() if isinstance(e, CallMissed)]
        return ledger.take(), missed[0].reasons if missed else ()

    assert change("data.csv", "12345")[0] == ["read"]
    assert change("data.csv", "12345") == ([], ())
    assert change("data.csv", "54321") == (["read"], ("input: file data.csv changed (5 bytes)",))
    assert change("other.csv", "x") == ([], ())
    assert change("conf/a.ini", "22")[0] == ["read"]
    ran, said = change("conf/b.ini", "3")
    assert ran == ["read"]
    assert "input: file conf/b.ini is new" in said
    (tmp_path / "data.csv").unlink()
    assert flow(ledger, "data").result() == 1
    assert ledger.take() == ["read"]


def test_environment_and_version_count(store, ledger, monkeypatch):
    """A variable that is declared, and the version, make it another call when they change."""

    @workflow
    def flow(ledger: Ledger, version: str) -> Any:
        key = nbflow.CacheKey(env=["TABLE"], version=version)
        return fetch.options(cache_key=key)(ledger, "eu")

    ran = []
    for table, version in (("a", "1"), ("a", "1"), ("b", "1"), ("b", "2"), ("a", "1")):
        monkeypatch.setenv("TABLE", table)
        run = flow(ledger, version)
        run.result()
        ran.append(len(ledger.take()))
        if len(ran) == 3:
            assert reasons(run, "fetch-1") == ("input: environment TABLE: 'a' -> 'b'",)
        if len(ran) == 4:
            assert reasons(run, "fetch-1") == ("code: version of cache_key: '1' -> '2'",)
    assert ran == [1, 0, 1, 1, 0]


def test_hidden_values_are_shown_nowhere(store, ledger, monkeypatch):
    """What is marked as hidden counts, and no reason and no kept key has it."""
    monkeypatch.setenv("PASSWORD", "first-secret")
    key = {"env": ["PASSWORD"], "hidden": ["PASSWORD", "region"]}

    @workflow
    def flow(ledger: Ledger, region: str) -> Any:
        return fetch.options(cache_key=key)(ledger, region)

    flow(ledger, "region-one").result()
    monkeypatch.setenv("PASSWORD", "second-secret")
    run = flow(ledger, "region-two")
    run.result()
    said = reasons(run, "fetch-1")
    assert len(said) == 2
    kept = "".join(row.parts for row in nbflow.cache.list())
    for secret in ("first-secret", "second-secret", "region-one", "region-two"):
        assert secret not in str(said) + kept + run.why().text()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        pytest.param({"cache": "yes"}, "cache is True or False", id="cache"),
        pytest.param({"cache_key": 5}, "a CacheKey or a dict, not int", id="kind"),
        pytest.param({"cache_key": {"file": "x"}}, "has no file: use files", id="name"),
        pytest.param({"cache_key": {"files": [5]}}, "a list of names", id="files"),
        pytest.param({"cache_key": {"env": 5}}, "a list of names", id="env"),
    ],
)
def test_bad_options_are_refused(given, says):
    """They are a DefinitionError that says what would do, in either way to write them."""
    for define in (lambda: activity(**given)(fetch.fn), lambda: fetch.options(**given)):
        with pytest.raises(nbflow.DefinitionError, match=says):
            define()


# -------------------------------------------------------------------- the kept results


def test_a_cache_that_cannot_be_used_costs_a_run_nothing(ledger):
    """A store whose cache fails leaves calls to run, with a reason."""

    class Broken(MemoryStore):
        def __init__(self) -> None:
            super().__init__()
            self.cache = self  # type: ignore[assignment]

        def __getattr__(self, name: str) -> Any:
            raise StoreError("the disk is on fire")

    broken = Broken()
    broken.get = lambda digest: (_ for _ in ()).throw(StoreError("the disk is on fire"))  # type: ignore[method-assign]
    nbflow.configure(store=broken)
    run = revenue(ledger, ["eu"])
    assert run.result() == {"eu": 6.0}
    assert reasons(run, "fetch-1") == ("lost: the cache cannot be read: the disk is on fire",)


def test_clearing_counts_and_chooses(store, ledger):
    """By activity, age, size or number of bytes; without saying what, it is refused."""
    revenue(ledger, ["eu", "us", "longer"]).result()
    with pytest.raises(ValueError, match="clear what"):
        nbflow.cache.clear()
    assert nbflow.cache.size().results == 6
    assert len(nbflow.cache.list("fetch")) == 3
    assert nbflow.cache.clear("total", older_than=3600).results == 0
    assert nbflow.cache.clear("total").results == 3
    sizes = [row.size for row in nbflow.cache.list()]
    cleared = nbflow.cache.clear(larger_than=min(sizes))
    assert (cleared.results, cleared.bytes, cleared.left) == (1, max(sizes), 2)
    oldest = nbflow.cache.list()[-1]
    assert nbflow.cache.clear(down_to=min(sizes)).results == 1
    assert oldest.key not in [row.key for row in nbflow.cache.list()]
    assert nbflow.cache.clear(older_than=-1).results == 1
    assert nbflow.cache.size() == (0, 0)
    ledger.take()
    revenue(ledger, ["eu"]).result()
    assert ledger.take() == ["fetch-eu", "total"]
    assert "removed 2 results" in repr(nbflow.cache.clear(all=True))
    assert repr(nbflow.cache.list()) == "nothing is cached"


def test_clearing_leaves_blobs_of_logs_alone(tmp_path, ledger):
    """Blobs go when told, and only those that no run's log refers to."""
    nbflow.configure(store=tmp_path / "store")
    store = settings.open_store()

    @workflow
    def flow(ledger: Ledger) -> int:
        return len(fetch(ledger, "x" * 100, 2000).result())

    run = flow(ledger)
    run.result()
    stray = store.put(b"stray" * 1000)
    for path in (tmp_path / "store" / "blobs").glob("*/*"):
        os.utime(path, (0, 0))
    cleared = nbflow.cache.clear(all=True)
    assert (cleared.results, cleared.blobs) == (1, 0)
    cleared = nbflow.cache.clear(blobs=True)
    assert (cleared.blobs, cleared.blob_bytes) == (1, 5000)
    with pytest.raises(StoreError):
        store.get(stray)
    assert len(nbflow.attach(run.id).calls["fetch-1"].result) == 2000


# -------------------------------------------------------------------- other processes


SCRIPT = """
import sys, nbflow
from pathlib import Path
from nbflow import activity, workflow
{helper}
@activity(cache=True)
def work(names):
    {comment}
    print("ran", flush=True)
    return sorted(names, key=helper)
@workflow
def flow():
    return work({{"one", "two", "three"}}).result()
nbflow.configure(store=sys.argv[1], on=sys.argv[2], output="stream")
run = flow()
run.result()
print(*(reason for line in run.why() for reason in line.reasons))
"""


def script(tmp_path: Path, seed: str, on: str, helper: str, comment: str = '"Say what."') -> str:
    file = tmp_path / f"script{seed}.py"
    file.write_text(SCRIPT.format(helper=helper, comment=comment))
    done = subprocess.run(
        [sys.executable, str(file), str(tmp_path / "store"), on],
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_another_process_takes_the_results(tmp_path):
    """With another hash seed, file, executor and comment; not with an edited helper."""
    helper = "def deep(x):\n    return len(x)\ndef helper(x):\n    return deep(x), x"
    assert script(tmp_path, "0", "threads", helper).startswith("ran")
    assert script(tmp_path, "1", "threads", f"# more\n\n{helper}", "# less") == ""
    assert script(tmp_path, "2", "processes", helper) == ""
    edited = helper.replace("len(x)", "-len(x)")
    assert script(tmp_path, "3", "threads", edited) == "ran\ndeep() edited"


ENDING = """
import sys, nbflow
from nbflow import activity, workflow
@activity(cache=True)
def work(x):
    print("ran", x, flush=True)
    return x + 1
@workflow
def flow():
    return work(work(work(1).result()).result()).result()
nbflow.configure(store=sys.argv[1], output="stream")
flow()
"""


def test_a_script_that_does_not_wait_uses_the_cache(tmp_path):
    """Calls made while the interpreter waits for runs at its end are kept and reused as well."""
    file = tmp_path / "script.py"
    file.write_text(ENDING)
    command = [sys.executable, str(file), str(tmp_path / "store")]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    found = [
        subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert found == ["ran 1\nran 2\nran 3\n", ""]


OLD = {
    1: """
CREATE TABLE log(run INTEGER NOT NULL REFERENCES run(id), first INTEGER NOT NULL,
    last INTEGER NOT NULL, events TEXT NOT NULL, PRIMARY KEY(run, first)) WITHOUT ROWID;
INSERT INTO log VALUES (1, 1, 1, {text});
""",
    2: """
CREATE TABLE log(key INTEGER PRIMARY KEY, last INTEGER NOT NULL, events TEXT NOT NULL);
INSERT INTO log VALUES (1 << 36 | 1, 1, {text});
""",
}
OLD[3] = (
    OLD[2]
    + """
CREATE TABLE lease(run INTEGER PRIMARY KEY REFERENCES run(id), host TEXT NOT NULL,
    pid INTEGER NOT NULL, born INTEGER NOT NULL, token TEXT NOT NULL, since REAL NOT NULL,
    seen REAL NOT NULL);
"""
)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_older_stores_get_a_cache(tmp_path, ledger, version):
    """A store of every earlier schema keeps its runs, and can keep results."""
    db = sqlite3.connect(tmp_path / "log.sqlite")
    text = "'" + encode([started()]).replace("'", "''") + "'"
    db.executescript(
        "CREATE TABLE run(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, workflow TEXT NOT "
        "NULL, place TEXT NOT NULL, status TEXT NOT NULL, created REAL NOT NULL, closed REAL);"
        "INSERT INTO run VALUES (1, 'old', 'flow', 'threads', 'running', 0.0, NULL);"
        + OLD[version].format(text=text)
        + f"PRAGMA application_id=1851942508; PRAGMA user_version={version};"
    )
    db.close()
    store = SqliteStore(tmp_path)
    assert list(store.events("old")) == [started()]
    nbflow.configure(store=store)
    for _ in range(2):
        assert revenue(ledger, ["eu"]).result() == {"eu": 6.0}
    assert ledger.take() == ["fetch-eu", "total"]
    store.close()


def test_a_success_is_kept_with_what_it_took(store, ledger):
    """A row says which call computed it, how long that took, and what its key is made of."""
    run = revenue(ledger, ["eu"])
    run.result()
    row = nbflow.cache.list("total")[0]
    (event,) = [e for e in run.events() if isinstance(e, CallSucceeded) and e.call == "total-1"]
    assert (row.run, row.call, row.at, row.run_ns) == (run.id, "total-1", event.at, event.run_ns)
    code, inputs = json.loads(row.parts)
    assert {"ledger", "rows", "rate"} == set(inputs)
    assert inputs["rate"][1:] == ["2.0", ""]
    assert inputs["rows"][2] == "fetch-1"
    assert any(name.endswith("total()") for name in code)
