"""What a Dask cluster keeps, loses, and is asked for. The contract is in tests/contracts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client, LocalCluster

import nbflow
from nbflow.core.errors import DefinitionError, WorkerDied
from nbflow.core.events import CallFailed, CallRepeated, CallSucceeded
from nbflow.core.held import Held
from nbflow.core.payload import Blob
from nbflow.executors import make
from nbflow.executors.dask import Dask
from nbflow.executors.dask_worker import PREFIX
from nbflow.store.memory import MemoryStore
from nbflow.store.sqlite import SqliteStore
from nbflow.testing import Gate
from nbflow.testing.checks import eventually
from tests.executors.clusters import Cluster, kill, tapped

pytestmark = pytest.mark.timeout(180)
LARGE = 2_000_000
BOUND = 120


def note(ledger, line):
    with Path(ledger).open("a") as file:
        file.write(line + "\n")


@nbflow.activity
def block(ledger, n):
    note(ledger, f"block {n}")
    return bytes([n % 256]) * LARGE


@nbflow.activity
def join(ledger, left, right):
    note(ledger, "join")
    return left + right


@nbflow.activity
def size(value):
    return len(value)


@nbflow.activity(once=True)
def once(n):
    return bytes(n)


@nbflow.activity(retry=3)
def held(ledger, gate, n):
    note(ledger, f"held {n}")
    gate.enter()
    return n


@nbflow.activity
def alone(gate):
    gate.enter()


@nbflow.activity(retry=3)
def measured(ledger, gate, value, n):
    gate.enter()
    note(ledger, f"measured {n}")
    return len(value)


@nbflow.workflow
def summed(ledger):
    return size(join(ledger, block(ledger, 1), block(ledger, 2)))


@nbflow.workflow
def one_block(ledger):
    return block(ledger, 1)


@nbflow.workflow
def one_once():
    return size(once(LARGE))


@nbflow.workflow
def sized():
    return size(b"four")


@nbflow.workflow
def gated(ledger, gate):
    return sum(future.result() for future in [held(ledger, gate, n) for n in range(4)])


@nbflow.workflow
def late(ledger, first, second):
    """Blocks, then something that runs alone, then what takes the blocks."""
    blocks = [block(ledger, n) for n in range(4)]
    nbflow.wait(blocks)
    alone(first).result()
    sizes = [measured(ledger, second, b, n) for n, b in enumerate(blocks)]
    return sum(future.result() for future in sizes)


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Give a cluster that no test breaks."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as made:
        yield made


@pytest.fixture
def breakable(tmp_path) -> Iterator[Cluster]:
    """Give a cluster whose processes a test may kill."""
    made = Cluster(tmp_path)
    yield made
    made.end()


@pytest.fixture
def dask(monkeypatch) -> Iterator:
    """Give a maker of executors, which are closed at the end of the test; the log in memory."""
    made = []

    def _make(place, **options):
        executor = make(place, **options)
        made.append(executor)
        return executor

    nbflow.configure(store=MemoryStore())
    yield _make
    for executor in made:
        executor.close()


def lines(ledger):
    return sorted(Path(ledger).read_text().split("\n")[:-1])


# ------------------------------------------------------------ values


def test_large_values_stay_on_the_cluster(cluster, dask, tmp_path):
    """What is above the limit goes from worker to worker, and comes here when it is asked for."""
    with tapped(cluster.scheduler_address) as tap:
        executor = dask(tap.address)
        assert executor.slots == 2
        before = tap.received
        run = summed.on(executor).start(str(tmp_path / "ledger"))
        assert run.result(BOUND) == 2 * LARGE
        assert tap.received - before < LARGE / 10
        assert run.calls["block-1"].result == b"\1" * LARGE
        assert tap.received - before > LARGE
        executor.close()


def test_the_log_says_that_a_value_is_there_and_not_what_it_is(cluster, dask, tmp_path):
    """A success has a `Held` for a large result, and its report has the size."""
    run = summed.on(dask(cluster)).start(str(tmp_path / "ledger"))
    run.result(BOUND)
    events = {e.call: e for e in run.events() if isinstance(e, CallSucceeded)}
    assert isinstance(events["join-1"].result, Held)
    assert events["join-1"].size > 2 * LARGE
    assert events["join-1"].worker.startswith("dask-")
    assert events["size-1"].result == 2 * LARGE


def test_a_spilled_value_is_in_the_store_too(cluster, dask, tmp_path):
    """With spill=True the store has the value, and consumers still take it from the cluster."""
    with tapped(cluster.scheduler_address) as tap:
        executor = dask(tap.address, spill=True)
        assert executor.slots == 2
        before = tap.sent
        run = summed.on(executor).start(str(tmp_path / "ledger"))
        assert run.result(BOUND) == 2 * LARGE
        assert tap.sent - before < LARGE / 10
        events = {e.call: e for e in run.events() if isinstance(e, CallSucceeded)}
        stored = events["join-1"].result
        assert isinstance(stored, Blob)
        assert stored.size > 2 * LARGE
        executor.close()


def test_what_must_not_run_again_goes_to_the_store(cluster, dask):
    """A large result of a once=True activity is stored: it could not be computed again."""
    run = one_once.on(dask(cluster)).start()
    assert run.result(BOUND) == LARGE
    (event,) = (e for e in run.events() if isinstance(e, CallSucceeded) and e.call == "once-1")
    assert not isinstance(event.result, Held)


def test_the_limit_says_what_is_large(cluster, dask, tmp_path):
    """Results up to the limit are in the log as on every executor."""
    run = one_block.on(dask(cluster, limit=2 * LARGE)).start(str(tmp_path / "ledger"))
    assert run.result(BOUND) == b"\1" * LARGE
    (event,) = (e for e in run.events() if isinstance(e, CallSucceeded))
    assert not isinstance(event.result, Held)


def test_code_and_large_arguments_are_sent_once(cluster, dask):
    """Fifty calls of an activity with a heavy constant do not send it fifty times."""
    weight = bytes(range(256)) * 2_000

    @nbflow.activity
    def heavy(table, n):
        return len(weight) + len(table) + n

    @nbflow.workflow
    def many(table):
        return sum(future.result() for future in [heavy(table, n) for n in range(50)])

    with tapped(cluster.scheduler_address) as tap:
        executor = dask(tap.address)
        assert executor.slots == 2
        before = tap.sent
        run = many.on(executor).start(b"x" * LARGE)
        assert run.result(BOUND) == 50 * (LARGE + 512_000) + 1225
        assert tap.sent - before < 2 * (LARGE + 512_000)
        executor.close()


def _known(dask_scheduler):
    return [key for key in dask_scheduler.tasks if str(key).startswith(PREFIX)]


def test_small_results_do_not_stay_on_the_cluster(cluster, dask):
    """Once nothing runs, the cluster is told that nobody needs them: the log has them."""

    @nbflow.workflow
    def chain(n):
        size_of = size(b"")
        for _ in range(n):
            size_of = size([size_of])
        return size_of.result()

    with Client(cluster, set_as_default=False) as client:
        executor = dask(client)
        assert chain.on(executor).start(30).result(BOUND) == 1
        eventually(lambda: client.run_on_scheduler(_known) == [], "nothing stays")
        executor.close()


# ------------------------------------------------------------ losses


@pytest.mark.case("R19")
def test_a_worker_that_is_killed_fails_its_call_only(breakable, dask, tmp_path):
    """Its attempts fail with WorkerDied and are tried again by nbflow; none runs beside the log."""
    gate, ledger = Gate(tmp_path / "gate"), str(tmp_path / "ledger")
    run = gated.on(dask(breakable.address)).start(ledger, gate)
    gate.wait_for(2)
    kill(breakable.workers[0])
    eventually(lambda: _failures(run), "one fails", 60)
    gate.open()
    assert run.result(BOUND) == 6
    failed = _failures(run)
    assert {event.error.kind.rpartition(".")[2] for event in failed} == {"WorkerDied"}
    # One that only waited at the worker that died fails with it, without having begun.
    assert len({event.call for event in failed}) == len(failed) <= 2
    assert len(lines(ledger)) == 5


def _failures(run):
    return [event for event in run.events() if isinstance(event, CallFailed)]


@pytest.mark.case("R19")
def test_results_that_were_lost_are_repeated_and_the_log_says_so(breakable, dask, tmp_path):
    """A worker that dies takes its results along: those that are needed are computed again."""
    ledger = str(tmp_path / "ledger")
    first, second = Gate(tmp_path / "first"), Gate(tmp_path / "second")
    run = late.on(dask(breakable.address)).start(ledger, first, second)
    first.wait_for(1)
    (busy,) = set(first.pids())
    kill(next(worker for worker in breakable.workers if worker.pid != busy))
    first.open()
    second.open()
    assert run.result(BOUND) == 4 * LARGE
    repeated = [e for e in run.events() if isinstance(e, CallRepeated)]
    assert repeated
    done = lines(ledger)
    assert sum(line.startswith("block") for line in done) == 4 + len(repeated)
    assert sum(line.startswith("measured") for line in done) == 4


@pytest.mark.parametrize("spill", [True, False])
@pytest.mark.case("R19")
def test_a_run_whose_cluster_is_gone_is_resumed_on_another(breakable, tmp_path, dask, spill):
    """Spilled results are not computed again; others are, by calls of the log."""
    ledger, home = str(tmp_path / "ledger"), tmp_path / "store"
    first, second = Gate(tmp_path / "first"), Gate(tmp_path / "second")
    nbflow.configure(store=SqliteStore(home))
    run = late.on(dask(breakable.address, spill=spill)).start(ledger, first, second)
    first.wait_for(1)
    kill(breakable.scheduler)
    with pytest.raises(WorkerDied):
        run.result(BOUND)
    breakable.end()
    first.open()
    second.open()
    again = Cluster(_made(tmp_path / "again"))
    try:
        run.resume(on=dask(again.address, spill=spill))
        assert run.result(BOUND) == 4 * LARGE
    finally:
        again.end()
    repeated = [e for e in run.events() if isinstance(e, CallRepeated)]
    assert bool(repeated) is not spill
    blocks = [line for line in lines(ledger) if line.startswith("block")]
    assert len(blocks) == 4 + len(repeated)


def test_calls_after_the_schedulers_end_are_told_that_it_is_gone(breakable, dask, monkeypatch):
    """Not that the address is wrong: it was right. The calls of a later run are told as well."""
    monkeypatch.setattr("nbflow.executors.dask_link.CONNECT_SECONDS", 0.5)
    executor = dask(breakable.address)
    assert sized.on(executor).start().result(BOUND) == 4
    kill(breakable.scheduler)
    gone = rf"the scheduler of the Dask cluster at {breakable.address} is gone.*dask scheduler"
    eventually(lambda: not executor._link.alive(), "it has been noticed")
    for _ in range(2):
        with pytest.raises(WorkerDied, match=gone):
            sized.on(executor).start().result(BOUND)


def _made(directory):
    directory.mkdir()
    return directory


# ------------------------------------------------------------ where it is


def test_a_cluster_is_given_by_object_client_or_address(cluster):
    """Each of them makes the same executor; `.on` takes them as they are."""
    from distributed import Client

    with Client(cluster, set_as_default=False) as client:
        places = [cluster, client, cluster.scheduler_address]
        for place in places:
            executor = make(place)
            assert executor.name == Dask.name
            assert executor.slots == 2
            executor.close()
        assert client.status == "running"


@pytest.mark.case("R20")
def test_another_version_on_the_workers_is_told(cluster, monkeypatch):
    """It is refused before anything is sent, naming worker, package and both versions."""
    monkeypatch.setattr("nbflow.__about__.__version__", "99.0")
    with pytest.raises(DefinitionError, match=r"nbflow \S+ rather than 99\.0.*Nothing was sent"):
        _ = make(cluster).slots


def test_no_scheduler_at_the_address_is_told(monkeypatch):
    """The error names the address, and what to do."""
    monkeypatch.setattr("nbflow.executors.dask_link.CONNECT_SECONDS", 0.5)
    with pytest.raises(DefinitionError, match=r"tcp://127\.0\.0\.1:9.*dask scheduler"):
        _ = make("tcp://127.0.0.1:9").slots


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"address": "tcp://x:1", "max_workers": 2}, "of this machine"),
        ({"max_workers": 0}, "at least one"),
        ({"limit": -1}, "number of bytes"),
        ({"spil": True}, "spil"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    """At once, and without a connection."""
    with pytest.raises(DefinitionError, match=message):
        make("dask", **options)


def test_resources_decide_where_attempts_run(dask):
    """An attempt that needs what one worker has runs there."""
    with LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0", resources={"LAMP": 1}
    ) as lit:
        executor = dask(lit, resources={"LAMP": 1}, priority=5)
        run = one_once.on(executor).start()
        assert run.result(BOUND) == LARGE
        link, _ = executor._connected()

        def needed(dask_scheduler):
            return {p.name: None for p in dask_scheduler.task_prefixes.values()}

        assert any(name.startswith("nbflow.") for name in link.client.run_on_scheduler(needed))
