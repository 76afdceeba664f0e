from __future__ import annotations

import gc
import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

import nbflow
from nbflow.core.events import Event
from nbflow.running.tail import BATCHES, Tail
from nbflow.store.memory import MemoryStore
from tests.viz.runlog import revenue, simulate
from tests.viz.test_live import RUN, stored


class Counting(MemoryStore):
    """A store that counts how often it is read."""

    reads = 0

    def events(self, run: str, after: int = 0):
        self.reads += 1
        return super().events(run, after)


@settings(deadline=None)
@given(st.data())
def test_it_gives_what_the_log_gives(data):
    """However appends and reads follow each other, a reader gets each event once, in order."""
    events = simulate(revenue(5))
    store = stored(events[:1], Counting())
    cuts = sorted(data.draw(st.sets(st.integers(1, len(events)))) | {1, len(events)})
    heard = data.draw(st.integers(0, len(cuts)))  # what came before it was listened to
    tail, read = Tail(store, RUN), list[Event]()
    for place, (begin, end) in enumerate(itertools.pairwise(cuts)):
        store.append(RUN, events[begin:end])
        if place >= heard:
            tail.take(events[begin:end])
        if data.draw(st.booleans()):
            read += tail.events(RUN, read[-1].seq if read else 0)
    while len(read) < len(events):
        read += tail.events(RUN, read[-1].seq if read else 0)
    assert read == events


def test_what_was_just_written_is_not_read_again():
    """Once a reader has caught up, appends reach it without the store being read."""
    events = simulate(revenue(5))
    store = Counting()
    stored(events[:4], store)
    tail = Tail(store, RUN)
    last = [*tail.events(RUN)][-1].seq
    before = store.reads
    for event in events[4:]:
        store.append(RUN, [event])
        tail.take([event])
        assert [*tail.events(RUN, last)] == [event]
        last = event.seq
    assert store.reads == before


def test_a_reader_who_is_late_reads_the_store():
    """Of very many appends only the last are kept; nothing is missing for it."""
    events = simulate([(f"a-{i}", ()) for i in range(8000)])
    assert len(events) > BATCHES
    store = stored(events, Counting())
    tail = Tail(store, RUN)
    for event in events:
        tail.take([event])
    assert [*tail.events(RUN)] == events
    assert [*tail.events(RUN, len(events))] == []
    assert len(tail._batches) == 0


@nbflow.activity
def double(x: int) -> int:
    return 2 * x


@nbflow.workflow
def doubled(n: int) -> int:
    return len([double(i) for i in range(n)])


def test_a_run_tells_its_tails_what_it_writes():
    """A live run gives what it appends to its tails, and does not keep them alive."""
    run = nbflow.start(doubled, 50)
    tail = Tail(run._store, run.id)
    assert run._session is not None
    run._session.live.watch(tail)
    run.result()
    assert [*tail.events(run.id)] == [*run.events()]
    journal = run._session.live._journal
    del tail
    gc.collect()
    assert [known() for known in journal._tails] == [None]
