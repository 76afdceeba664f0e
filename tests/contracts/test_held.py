"""Results of ``persist=False`` activities: in memory only, and computed again where needed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.core.errors import DefinitionError, RunError, Unserialisable
from nbflow.core.events import CallRepeated, CallSucceeded
from nbflow.core.graph import Graph
from nbflow.core.held import Held
from nbflow.core.history import History
from nbflow.store.memory import MemoryStore
from nbflow.store.sqlite import SqliteStore

WAIT = 30
SECRET = "canary-5f1d"


class Shop:
    """Activities that note what they do, and a workflow that fails while a file is missing."""

    def __init__(self, home: Path) -> None:
        self.ledger = home / "ledger"
        self.door = home / "open"
        note = self.note

        @nbflow.activity(persist=False)
        def load(name: str = "") -> dict[str, str]:
            note("load" + name)
            return {"rows": SECRET + name}

        @nbflow.activity(persist=False)
        def parse(loaded: dict[str, str]) -> list[str]:
            note("parse")
            return [*loaded["rows"]]

        @nbflow.activity
        def count(loaded: Any) -> int:
            note("count")
            return len(loaded)

        @nbflow.activity
        def sell(loaded: Any = None) -> int:
            note("sell")
            if not self.door.exists():
                raise OSError("closed")
            return len(loaded or ())

        self.load, self.parse, self.count, self.sell = load, parse, count, sell

    def note(self, word: str) -> None:
        with self.ledger.open("a") as file:
            file.write(word + "\n")

    def done(self) -> list[str]:
        """Give what has run since this was asked last, in order."""
        words = self.ledger.read_text().split() if self.ledger.exists() else []
        self.ledger.write_text("")
        return words


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Give the activities, and a store on the disk."""
    nbflow.configure(store=tmp_path / "store")
    return Shop(tmp_path)


def ended(workflow: Any, *args: Any) -> Any:
    """Start a run and wait for its end."""
    run = workflow(*args)
    run.wait(WAIT)
    return run


def again(run: Any, workflow: Any, **how: Any) -> Any:
    """Resume a run and wait for its end."""
    run.resume(workflow, **how).wait(WAIT)
    return run


def files(home: Path) -> Iterator[bytes]:
    """Give all that the store has written."""
    for path in (home / "store").rglob("*"):
        if path.is_file():
            yield path.read_bytes()


# -------------------------------------------------------------------- where the value is


@pytest.mark.parametrize("on", ["threads", "inline", "asyncio", "processes"])
@pytest.mark.parametrize("copy", [False, True])
def test_the_value_is_written_nowhere(shop: Shop, tmp_path: Path, on: str, copy: bool) -> None:
    """Those that take the result get it, wherever they run, and no file has it."""
    load = shop.load.options(copy=copy)

    @nbflow.workflow
    def flow() -> list[int]:
        loaded = load()
        assert loaded.result()["rows"] == SECRET
        return [shop.count(loaded).result(), shop.count([loaded, {"in": loaded}]).result()]

    run = flow.on(on).start()
    assert run.result(WAIT) == [1, 2]
    assert shop.done().count("load") == 1
    assert not any(SECRET.encode() in data for data in files(tmp_path))
    assert run.calls["load-1"].result == {"rows": SECRET}


def test_what_cannot_be_pickled_is_handed_on(shop: Shop) -> None:
    """In this process a result is the object itself, for each that takes it."""

    @nbflow.activity(persist=False)
    def lock() -> Any:
        return threading.Lock()

    @nbflow.activity
    def name(one: Any) -> int:
        with one:
            return id(one)

    @nbflow.workflow
    def flow() -> bool:
        made = lock()
        return name(made).result() == name(made).result() == id(made.result())

    assert nbflow.run(flow)


def test_what_cannot_be_pickled_is_not_sent(shop: Shop) -> None:
    """A call in another process that takes such an object fails, and the message says why."""

    @nbflow.activity(persist=False, executor="threads")
    def lock() -> Any:
        return threading.Lock()

    @nbflow.workflow
    def flow() -> None:
        shop.count(lock()).result()

    run = flow.on("processes", max_workers=1).start()
    with pytest.raises(Unserialisable, match="takes of a persist=False activity cannot be stored"):
        run.result(WAIT)


def test_the_result_of_a_run_is_stored(shop: Shop) -> None:
    """What a workflow returns is stored with the run, whatever it comes from."""

    @nbflow.workflow
    def flow() -> Any:
        return shop.load()

    @nbflow.workflow
    def pair() -> Any:
        return [shop.load(), 1]

    assert nbflow.attach(
        ended(flow).id, SqliteStore(nbflow.attach("flow")._store.path)
    ).result() == {"rows": SECRET}
    assert nbflow.run(pair) == [{"rows": SECRET}, 1]


def test_generators_are_refused_all_the_same(shop: Shop) -> None:
    """What can be read once only is no result, stored or not."""

    @nbflow.activity(persist=False)
    def rows() -> Any:
        return (n for n in range(3))

    @nbflow.workflow
    def flow() -> Any:
        return rows().result()

    with pytest.raises(Unserialisable, match="return list"):
        nbflow.run(flow)


# -------------------------------------------------------------------- what is computed again


def test_an_unsettled_call_has_it_computed_again(shop: Shop) -> None:
    """Once for each resumption, however many take it; what is settled stays."""

    @nbflow.workflow
    def flow() -> int:
        loaded = shop.load()
        counted = shop.count(loaded).result()
        both = [shop.sell(loaded), shop.sell(loaded)]
        nbflow.wait(both)
        return counted + sum(f.result() for f in both)

    run = ended(flow)
    assert sorted(shop.done()) == ["count", "load", "sell", "sell"]
    again(run, flow)
    assert run.status == "failed"
    assert sorted(shop.done()) == ["load", "sell", "sell"]
    shop.door.touch()
    assert again(run, flow).result() == 3
    assert sorted(shop.done()) == ["load", "sell", "sell"]
    assert [call for call in run.calls if run.calls[call].repeats] == ["load-1~2", "load-1~3"]


def test_what_nobody_needs_is_not_computed_again(shop: Shop) -> None:
    """A result that settled calls alone have taken is left alone."""

    @nbflow.workflow
    def flow() -> int:
        counted = shop.count(shop.load())
        return counted.result() + shop.sell().result()

    run = ended(flow)
    shop.done()
    shop.door.touch()
    assert again(run, flow).result() == 1
    assert shop.done() == ["sell"]
    with pytest.raises(RunError, match="in the memory of the process that computed it only"):
        _ = run.calls["load-1"].result


def test_the_code_has_it_computed_again_where_it_reads_it(shop: Shop) -> None:
    """The code gets the value at the place where it reads it, before it asks for more."""

    @nbflow.workflow
    def flow() -> Any:
        loaded = shop.load()
        rows = loaded.result()["rows"]
        counted = shop.count(rows).result()
        assert loaded.result() == {"rows": rows}
        return rows, counted + shop.sell(rows).result()

    run = ended(flow)
    assert shop.done() == ["load", "count", "sell"]
    shop.door.touch()
    assert again(run, flow).result() == (SECRET, 2 * len(SECRET))
    assert shop.done() == ["load", "sell"]
    assert run.calls["load-1"].result == {"rows": SECRET}


def test_what_it_was_made_of_is_computed_again_too(shop: Shop) -> None:
    """A result that was made of another one that is gone has that computed first."""

    @nbflow.workflow
    def flow() -> int:
        return shop.sell(shop.parse(shop.load())).result()

    run = ended(flow)
    shop.done()
    shop.door.touch()
    assert again(run, flow).result() == len(SECRET)
    assert shop.done() == ["load", "parse", "sell"]


@pytest.mark.parametrize("on", ["inline", "processes", "asyncio"])
def test_it_is_computed_again_on_every_executor(shop: Shop, on: str) -> None:
    """The repeat runs where its activity does."""

    @nbflow.workflow
    def flow() -> int:
        loaded = shop.load()
        return len(loaded.result()) + shop.sell(loaded).result()

    run = flow.on(on).start()
    run.wait(WAIT)
    shop.done()
    shop.door.touch()
    assert again(run, flow).result() == 2
    assert shop.done() == ["load", "sell"]


def test_rerun_gives_it_a_result_of_its_own(shop: Shop) -> None:
    """A rerun of such a call computes it as a call, and what follows; a repeat has no rerun."""
    shop.door.touch()

    @nbflow.workflow
    def flow() -> int:
        return shop.sell(shop.load()).result()

    run = ended(flow)
    run.rerun("sell-1", workflow=flow).result(WAIT)
    assert shop.done() == ["load", "sell", "load", "sell"]
    with pytest.raises(RunError, match="only computes load-1 again"):
        run.rerun("load-1~2", workflow=flow)
    run.rerun("load-1", workflow=flow).result(WAIT)
    assert shop.done() == ["load", "sell"]


# -------------------------------------------------------------------- what goes wrong


def test_a_repeat_that_fails_fails_what_needs_it(shop: Shop, tmp_path: Path) -> None:
    """Those that need it are skipped, the run fails with its error, and can be resumed."""

    @nbflow.activity(persist=False, retry=1)
    def fragile() -> int:
        shop.note("fragile")
        if (tmp_path / "broken").exists():
            raise ZeroDivisionError("broken")
        return 8

    @nbflow.workflow
    def flow() -> int:
        made = fragile()
        return shop.sell([made]).result() + shop.count([made]).result()

    run = ended(flow)
    shop.done()
    (tmp_path / "broken").touch()
    again(run, flow)
    assert shop.done() == ["fragile", "fragile"]
    assert isinstance(run.exception(), ZeroDivisionError)
    statuses = {call: run.calls[call].status for call in run.calls}
    assert statuses["sell-1"] == "skipped"
    assert statuses["fragile-1"] == "done"
    assert statuses["fragile-1~2"] == "failed"
    folded = History.of(run._store.events(run.id)).calls
    assert {call: folded[call].status for call in run.calls} == statuses
    (tmp_path / "broken").unlink()
    shop.door.touch()
    assert again(run, flow).result() == 2
    assert shop.done() == ["fragile", "sell", "count"]


def test_a_repeat_that_fails_where_the_code_reads_it(shop: Shop, tmp_path: Path) -> None:
    """The code gets the error where it reads the result."""

    @nbflow.activity(persist=False)
    def fragile() -> int:
        if (tmp_path / "broken").exists():
            raise ZeroDivisionError("broken")
        return 8

    @nbflow.workflow
    def flow() -> int:
        return fragile().result() + shop.sell().result()

    run = ended(flow)
    (tmp_path / "broken").touch()
    again(run, flow)
    assert isinstance(run.exception(), ZeroDivisionError)
    (tmp_path / "broken").unlink()
    shop.door.touch()
    assert again(run, flow).result() == 8


def test_a_cancel_reaches_a_repeat(shop: Shop, tmp_path: Path) -> None:
    """A run that is cancelled while a result is computed again ends at once."""
    begun = threading.Event()

    @nbflow.activity(persist=False)
    async def slow() -> int:
        if (tmp_path / "hang").exists():
            import asyncio

            begun.set()
            await asyncio.sleep(60)
        return 1

    @nbflow.workflow
    def flow() -> int:
        made: Any = slow()
        return int(made.result()) + shop.sell().result()

    run = ended(flow)
    (tmp_path / "hang").touch()
    run.resume(flow)
    assert begun.wait(WAIT)
    run.cancel()
    run.wait(WAIT)
    assert run.status == "cancelled"


@pytest.mark.parametrize("other", [{"once": True}, {"cache": True}])
def test_options_that_exclude_it(other: dict[str, bool]) -> None:
    """What contradicts it is refused where it is written, and both are named."""
    with pytest.raises(DefinitionError, match=f"persist=False and {next(iter(other))}=True"):
        nbflow.activity(persist=False, **other)  # type: ignore[call-overload]
    with pytest.raises(DefinitionError, match="persist is True or False"):
        nbflow.activity(persist="no")  # type: ignore[call-overload]


# -------------------------------------------------------------------- what is shown


def test_it_is_seen(shop: Shop) -> None:
    """The graph, the log and `why` say what was computed again, and for whom."""

    @nbflow.workflow
    def flow() -> int:
        return shop.sell(shop.load()).result()

    run = ended(flow)
    shop.door.touch()
    again(run, flow)
    (event,) = [e for e in run._store.events(run.id) if isinstance(e, CallRepeated)]
    assert (event.call, event.by, event.needed) == ("load-1", "load-1~2", "sell-1")
    graph = Graph.of(run._store.events(run.id))
    assert graph.node("load-1~2").repeats == "load-1"
    assert ("load-1~2", "sell-1") in {(edge.source, edge.target) for edge in graph.edges}
    assert "computes load-1 again" in run.graph.text()
    line = run.why()["load-1~2"]
    assert "in memory only (persist=False), and sell-1 needs it" in line.text
    assert "ran once more: not stored (1)" in run.why().text()


def test_a_replay_says_where_it_ends(shop: Shop) -> None:
    """A replay computes nothing: it takes the recorded way up to where the code reads a result."""

    @nbflow.workflow
    def reads() -> int:
        return len(shop.load().result())

    @nbflow.workflow
    def hands_on() -> int:
        return shop.count(shop.load()).result()

    assert nbflow.replay(ended(hands_on), hands_on).ok
    found = nbflow.replay(
        nbflow.Run(ended(reads).id, SqliteStore(nbflow.attach("reads")._store.path)), reads
    )
    assert "ends at load-1" in repr(found)
    assert shop.done() == ["load", "count", "load"]


def test_a_store_in_memory_still_has_it(tmp_path: Path) -> None:
    """Where the log itself is in memory, the value is as well: nothing is computed again."""
    nbflow.configure(store=MemoryStore())
    shop = Shop(tmp_path)

    @nbflow.workflow
    def flow() -> int:
        return shop.sell(shop.load()).result()

    run = ended(flow)
    shop.done()
    shop.door.touch()
    assert again(run, flow).result() == 1
    assert shop.done() == ["sell"]


def test_logs_have_no_value() -> None:
    """One that was read from a log is gone, equal to any other, and never shows what it is."""
    kept = Held.of(SECRET)
    assert kept == Held() != SECRET
    assert SECRET not in repr(kept)
    assert CallSucceeded(1, 0.0, "c", 1, kept, "w", 0.0) == CallSucceeded(
        1, 0.0, "c", 1, Held(), "w", 0.0
    )
