"""What the cache of every store has to do: a part of `StoreContract`."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from nbflow.core.digests import digest
from nbflow.core.errors import StoreError
from nbflow.core.events import CallReused, CallSucceeded, RunStarted
from nbflow.core.payload import Blob, Packed, Stored
from nbflow.store.cached import CacheRow, Earlier
from nbflow.testing.checks import equal, raises, true

if TYPE_CHECKING:
    from nbflow.store.base import Store

RESULTS: Final[tuple[Stored, ...]] = (
    None,
    True,
    2**70,
    -0.0,
    "é漢字 \ud800 '; DROP TABLE cache; --",
    Packed("json", '{"$blob":["json","x",1]}'),
    Packed("pickle", b"\x00\xff"),
    Blob("pickle", "ab12", 70_000),
)
"""Stored values of every kind."""


def kept(key: str, result: Stored = 1, **changes: object) -> CacheRow:
    """Make a result to keep."""
    row = CacheRow(
        key=key,
        activity="f",
        code="code",
        inputs="inputs",
        run="run",
        call="f-1",
        at=100.5,
        run_ns=7,
        size=3,
        result=result,
        parts='[{"K":["d","5",""]},{}]',
    )
    return row._replace(**changes)  # type: ignore[arg-type]


class CacheContract(ABC):
    """The cases that concern ``store.cache``."""

    store: Store

    @abstractmethod
    def _reopen(self) -> None:
        """Close the store and open it again, if it is one that can be."""

    def test_results_are_kept_by_key(self) -> None:
        """`get` gives what `add` was given, of any type, and None for other keys."""
        rows = [kept(f"key {n}", result) for n, result in enumerate(RESULTS)]
        for row in rows:
            true(self.store.cache.add(row), "add should say that it is kept")
        for _ in range(2):
            equal([self.store.cache.get(row.key) for row in rows], rows, "the results")
            types = [type(self.store.cache.get(row.key).result) for row in rows]  # type: ignore[union-attr]
            equal(types, [type(result) for result in RESULTS], "their types")
            equal(self.store.cache.get("key"), None, "another key")
            self._reopen()

    def test_the_first_result_stays_unless_told(self) -> None:
        """Of two runs that computed the same, the first one's result is kept."""
        cache = self.store.cache
        true(cache.add(kept("k", 1)), "the first")
        true(not cache.add(kept("k", 2, run="other")), "the second should lose")
        equal(cache.get("k"), kept("k", 1), "what is kept")
        true(cache.add(kept("k", 3), replace=True), "the third was to replace it")
        equal(cache.get("k"), kept("k", 3), "what is kept then")
        equal(len(cache.rows()), 1, "the number of results")

    def test_results_are_listed_latest_first(self) -> None:
        """All of them, or those of one activity."""
        cache = self.store.cache
        rows = [
            kept(f"{name}{n}", n, at=float(n), activity=name) for n in (2, 3, 1) for name in "ab"
        ]
        for row in rows:
            cache.add(row)
        equal([row.at for row in cache.rows()], [3.0, 3.0, 2.0, 2.0, 1.0, 1.0], "all")
        equal([row.key for row in cache.rows("a")], ["a3", "a2", "a1"], "those of a")
        equal(cache.rows("c"), [], "those of an activity without any")

    def test_many_are_kept_and_found_at_once(self) -> None:
        """`extend` leaves what is there already; `find` gives those that there are."""
        cache = self.store.cache
        cache.add(kept("k1", "first"))
        cache.extend([kept(f"k{n}", result) for n, result in enumerate(RESULTS)])
        cache.extend([])
        for _ in range(2):
            found = cache.find(["k0", "nothing", "k1", *(f"k{n}" for n in range(2, 2000))])
            wanted = [*RESULTS[:1], "first", *RESULTS[2:]]
            equal([found[f"k{n}"].result for n in range(len(RESULTS))], wanted, "what is kept")
            equal(len(found), len(RESULTS), "the number of those that were found")
            equal(cache.find([]), {}, "nothing is found of nothing")
            self._reopen()
            cache = self.store.cache

    def test_earlier_calls_are_found_to_compare_with(self) -> None:
        """Those of the same inputs, or all; the latest first; none of the run; so many at most."""
        cache = self.store.cache
        for n in range(6):
            cache.add(kept(f"k{n}", at=float(n), inputs=f"i{n % 3}", run=f"r{n}", call=f"f-{n}"))
        cache.add(kept("other", activity="g", inputs="i1", at=50.0, run="r9"))
        found = cache.alike("f", ["i1"], "r5", 4)
        equal([row.run for row in found], ["r4", "r1"], "the runs, the latest first")
        wanted = Earlier("r4", "f-4", 4.0, "i1", kept("").parts)
        equal(found[0], wanted, "the nearest")
        equal([row.run for row in cache.alike("f", ["i1"], "", 1)], ["r4"], "one at most")
        equal([row.run for row in cache.alike("f", ["i1"], "r4", 4)], ["r1"], "none of the run")
        found = cache.alike("f", ["i2", "none", "i0"], "", 1)
        equal(sorted(row.run for row in found), ["r3", "r5"], "the latest for each of some inputs")
        many = [f"i{n}" for n in range(2000)]
        equal(len(cache.alike("f", many, "", 1)), 3, "those of many inputs")
        equal(cache.alike("f", [], "", 1), [], "those of none")
        equal(cache.alike("h", ["i1"], "", 4), [], "those of an activity without any")
        found = cache.latest("f", "r4", 3)
        equal([row.run for row in found], ["r5", "r3", "r2"], "whatever their inputs")
        cache.remove(["k4"])
        equal([row.run for row in cache.alike("f", ["i1"], "", 4)], ["r1"], "what is left of them")
        cache.add(kept("k1", at=9.0, inputs="i7", run="r7"), replace=True)
        equal(cache.alike("f", ["i1"], "", 4), [], "one that was replaced")
        equal([row.run for row in cache.alike("f", ["i7"], "", 4)], ["r7"], "what replaced it")

    def test_results_are_forgotten(self) -> None:
        """`remove` counts what there was; the rest stays, for good."""
        for n in range(4):
            self.store.cache.add(kept(f"k{n}"))
        equal(self.store.cache.remove(["k1", "k3", "nothing"]), 2, "the number removed")
        for _ in range(2):
            equal({row.key for row in self.store.cache.rows()}, {"k0", "k2"}, "what is left")
            self._reopen()
        equal(self.store.cache.remove([]), 0, "nothing to remove")

    def test_blobs_are_deleted_only_where_nothing_refers_to_them(self) -> None:
        """A log's results, arguments and reused results, and kept results, keep their blobs."""
        put = self.store.put
        names = [put(bytes([n]) * 100) for n in range(7)]
        blobs = [Blob("pickle", name, 100) for name in names]
        first = RunStarted(1, 1.0, "flow", (blobs[0],), {"x": blobs[1]}, "threads")
        self.store.create("run", first)
        self.store.append("run", [CallSucceeded(2, 1.0, "f-1", 1, blobs[2], "w", 1.0)])
        self.store.append("run", [CallReused(3, 1.0, "f-2", "key", "run/f-1", blobs[3])])
        self.store.cache.add(kept("k", blobs[4]))
        equal(self.store.cache.sweep(3600.0), (0, 0), "young ones stay")
        equal(self.store.cache.sweep(-1.0), (2, 200), "what is deleted, and its size")
        for name in names[:5]:
            equal(digest(self.store.get(name)), name, "a blob that is in use")
        for name in names[5:]:
            raises(StoreError, lambda n=name: self.store.get(n), "a deleted blob")  # type: ignore[misc]
        self.store.cache.remove(["k"])
        equal(self.store.cache.sweep(-1.0), (1, 100), "that of a result forgotten since")
        equal(put(bytes([5]) * 100), names[5], "a blob put again")
        equal(len(self.store.get(names[5])), 100, "its bytes")

    def test_threads_share_the_cache(self) -> None:
        """Of many that keep something under one key at once, one is told that it did."""
        won: list[int] = []
        barrier = threading.Barrier(8)

        def keep(n: int) -> Callable[[], None]:
            def go() -> None:
                barrier.wait()
                self.store.cache.add(kept(f"own {n}"))
                if self.store.cache.add(kept("shared", n)):
                    won.append(n)

            return go

        threads = [threading.Thread(target=keep(n)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        equal(len(won), 1, "the number of winners")
        found = self.store.cache.get("shared")
        equal(found and found.result, won[0], "whose result is kept")
        equal(len(self.store.cache.rows()), 9, "the number of results")
