from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbflow.core.events import RunResumed
from nbflow.core.graph import STATUSES
from nbflow.viz.board import Board
from nbflow.viz.rows import BARS, BLOCK_ROWS, CALLS, NAMES, Names, Table
from tests.viz.page import Page
from tests.viz.runlog import RunLog, revenue, simulate

RUN = "revenue-1"


def board_of(events) -> Board:
    board = Board(RUN)
    for event in events:
        board.apply(event)
    board.advance(2000.0)
    return board


def told(blocks) -> dict[int, tuple]:
    """Give the rows as a page reads them."""
    page = Page()
    for block in blocks:
        page.tell({"kind": "rows", "blocks": [block.head]}, block.buffers)
    return {**page.tables["calls"], **page.tables["bars"]}


def status(number: int) -> str:
    return STATUSES[number]


def test_a_row_says_what_the_folds_say():
    """Every column of every row is what graph and profile know of that call or attempt."""
    board = board_of(simulate(revenue(3), failing={"convert-2"}))
    rows = told(board.rows.calls.blocks(0))
    for row, node in enumerate(board.graph):
        activity, number, code, attempts, asked = rows[row]
        assert f"{board.rows.activities.shown[activity]}-{number}" == node.id
        assert (status(code), attempts, asked) == (node.status, node.attempt, 0.0)
    bars = told(board.rows.bars.blocks(0))
    assert len(bars) == len(board.profile.bars)
    for row, bar in enumerate(board.profile.bars):
        call, attempt, worker, code, ready, started, ended, packing, progress = bars[row]
        assert board.rows.id(call) == bar.call
        assert (attempt, status(code)) == (bar.attempt, bar.status)
        assert board.rows.workers.shown[worker] == bar.worker
        assert bar.ended is not None
        assert [ready, started, ended] == [t - 1000.0 for t in (bar.ready, bar.started, bar.ended)]
        assert packing == pytest.approx(bar.packing)
        assert progress is None


@settings(deadline=None)
@given(st.integers(0, 60), st.sets(st.integers(1, 12)))
def test_only_rows_that_changed_are_news(cut, failing):
    """Rows told bit by bit are the rows told at once, and nothing is told twice for nothing."""
    events = simulate(revenue(6), failing={f"fetch-{i}" for i in failing})
    board = board_of(events[:cut])
    tables = (board.rows.calls, board.rows.bars)
    before = [told(table.news(1000)) for table in tables]
    assert [table.news(1000) for table in tables] == [[], []]
    for event in events[cut:]:
        board.apply(event)
    board.advance(2001.0)
    for table, old, other in zip(
        tables, before, (board_of(events).rows.calls, board_of(events).rows.bars), strict=True
    ):
        news = told(table.news(1000))
        assert {**old, **news} == told(other.blocks(0))
        assert all(old.get(row) != values for row, values in news.items())


def test_a_running_attempt_has_no_end():
    """The end of what runs is no number; once it has ended its row is sent again."""
    log = RunLog()
    log.asked("fetch-1")
    log.started("fetch-1", 0.5)
    board = board_of(log.events)
    assert math.isnan(board.rows.bars[0][6])
    assert board.rows.running == {0}
    board.rows.bars.news(10)
    log.succeeded("fetch-1", 0.5, 0.75)
    board.apply(log.events[-1])
    board.advance(2000.0)
    assert board.rows.bars.changed == {0}
    assert board.rows.bars[0][5:7] == (0.5, 0.75)
    assert not board.rows.running


def test_news_are_as_many_as_there_is_room_for():
    """`news` gives so many rows at most, and the others the next time."""
    table = Table("calls", CALLS)
    for row in range(50):
        table.put(row, (0, row, 1, 0, 0.5))
    (first,) = table.news(20)
    assert (first.head["from"], first.head["count"], first.head["at"]) == (0, 20, False)
    assert len(table.changed) == 30
    table.news(1000)
    for row in (7, 9, 30):
        table.put(row, (0, row, 4, 1, 0.5))
    (picked,) = table.news(1000)
    assert (picked.head["count"], picked.head["at"], len(picked.buffers)) == (3, True, 6)
    assert told([picked]) == {row: (0, row, 4, 1, 0.5) for row in (7, 9, 30)}
    assert table.news(1000) == []


def test_new_rows_have_a_block_of_their_own():
    """Rows that were never told come as a range, whatever else has changed: no hole is left."""
    table = Table("calls", CALLS)
    for row in range(5):
        table.put(row, (0, row, 1, 0, 0.5))
    table.told()
    for row in (1, 3, 5, 6, 7):
        table.put(row, (0, row, 4, 1, 0.5))
    old, new = table.news(4)
    assert (old.head["at"], old.head["count"]) == (True, 2)
    assert (new.head["at"], new.head["from"], new.head["count"]) == (False, 5, 2)
    (rest,) = table.news(4)
    assert (rest.head["from"], rest.head["count"]) == (7, 1)


def test_blocks_are_no_longer_than_agreed():
    """A table of any length comes in blocks of at most 20,000 rows, below a megabyte each."""
    table = Table("bars", BARS)
    for row in range(2 * BLOCK_ROWS + 5):
        table.put(row, (row, 1, 0, 4, 0.0, 0.0, 1.0, 0.0, math.nan))
    blocks = list(table.blocks(0))
    assert [block.head["count"] for block in blocks] == [BLOCK_ROWS, BLOCK_ROWS, 5]
    assert max(sum(map(len, block.buffers)) for block in blocks) < 1_000_000
    assert [block.head["from"] for block in table.blocks(2 * BLOCK_ROWS)] == [2 * BLOCK_ROWS]


@pytest.mark.parametrize(
    "call", ["fetch", "other-3", "fetch-03", "fetch-x", "fetch-\u0663", "fetch-99999999999"]
)
def test_ids_that_are_no_name_and_number_have_a_label(call):
    """An id that cannot be put together from activity and number is told as it is."""
    log = RunLog()
    log.asked("fetch-1", activity="fetch")
    log.asked(call, activity="fetch")
    board = board_of(log.events)
    assert board.rows.labels == {1: call}
    assert board.rows.calls[1][1] == 0


def test_very_many_names_share_one():
    """Past so many names, or so many bytes of them, the rest is one "…", and still counted."""
    names = Names()
    numbers = [names.number(f"activity {i}") for i in range(70_000)]
    assert numbers[:3] == [0, 1, 2]
    assert len(names.shown) <= NAMES + 1
    assert names.shown[-1] == "…"
    assert set(numbers[len(names.shown) :]) == {len(names.shown) - 1}
    assert names.name(1) == "activity 1"
    assert names.name(len(names.shown) - 1) is None
    wide = Names()
    for i in range(5000):
        wide.number(f"{i}" + "漢" * 500)
    assert sum(len(name.encode()) for name in wide.shown) < 61_000


def test_a_resumed_run_keeps_its_rows():
    """After a resumption calls keep their rows, open again; what they ran before stays a bar."""
    events = simulate(revenue(3), failing={"convert-2"})
    board = board_of(events)
    rows = len(board.rows.calls)
    assert board.rows.totals() == {"done": 5, "failed": 1, "skipped": 1}
    board.apply(RunResumed(seq=len(events) + 1, at=3000.0))
    log = RunLog()
    log.events = [*events, RunResumed(seq=len(events) + 1, at=3000.0)]
    log.asked("convert-2", ["fetch-2"], at=2000.0)
    board.apply(log.events[-1])
    board.advance(3001.0)
    assert len(board.rows.calls) == rows
    assert board.rows.totals() == {"waiting": 1, "queued": 1, "done": 5}
    assert len(board.rows.bars) == 6
