from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbflow.core.events import CallWrote
from nbflow.viz.lines import BYTES, LINES, LONGEST, Lines


def wrote(text: str, channel: str = "stdout") -> CallWrote:
    return CallWrote(seq=1, at=1001.5, call="f-1", attempt=2, channel=channel, text=text)


def texts(lines: Lines) -> list[str]:
    return [line[4] for line in lines.since(0, 10 * BYTES)["lines"]]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("one\ntwo\n", ["one", "two"], id="whole lines"),
        pytest.param("no end", ["no end"], id="no newline"),
        pytest.param("\n\n", ["", ""], id="empty lines"),
        pytest.param("\x1b[31mred\x1b[0m", ["red"], id="colours"),
        pytest.param("10%\r50%\r100%\n", ["100%"], id="progress bar"),
        pytest.param("windows\r\n", ["windows"], id="carriage return"),
        pytest.param("a\tb", ["a   b"], id="tab"),
        pytest.param("a\x00\u202eb", ["a\\x00\\u202eb"], id="control"),
        pytest.param("x" * 10_000, ["x" * LONGEST + "…"], id="long"),
        pytest.param("<b>&", ["<b>&"], id="markup is text"),
    ],
)
def test_lines_read_as_on_a_terminal(text, shown):
    """What was written is shown as lines, cut, without colours and without what could act."""
    lines = Lines()
    lines.add(wrote(text), 1.5, 7)
    assert texts(lines) == shown
    assert lines.since(0, BYTES)["lines"][0][:4] == [1.5, 7, 2, "stdout"]


def test_only_the_last_lines_are_kept():
    """Of many lines the last 5,000 are kept, and the rest is counted, also within one event."""
    lines = Lines()
    for i in range(20):
        lines.add(wrote("".join(f"{i * 1000 + k}\n" for k in range(1000))), 0.0, 0)
    assert (lines.count, lines.cut) == (20_000, 20_000 - LINES)
    assert texts(lines) == [str(i) for i in range(20_000 - LINES, 20_000)]
    other = Lines()
    other.add(wrote("".join(f"{i}\n" for i in range(20_000))), 0.0, 0)
    assert other.since(0, BYTES) == lines.since(0, BYTES)


def test_long_lines_do_not_make_it_big():
    """However wide the lines, what is kept is below a megabyte when it is sent."""
    lines = Lines()
    for _ in range(2000):
        lines.add(wrote("漢" * 5000), 12345.678, 99_999)
    told = lines.since(0, 10 * BYTES)
    assert len(json.dumps(told, ensure_ascii=False).encode()) <= 1_050_000
    assert told["cut"] == lines.cut == lines.count - len(told["lines"]) > 0


@given(st.lists(st.integers(0, 40), max_size=20), st.integers(0, 200), st.integers(1, 3000))
def test_pieces_add_up(counts, begin, most):
    """Piece after piece gives every line from the wanted one on, once, in order."""
    lines = Lines()
    for k, count in enumerate(counts):
        lines.add(wrote("".join(f"{k}.{i}\n" for i in range(count)) or "-"), 0.0, 0)
    found: list[str] = []
    at = begin
    while (piece := lines.since(at, most))["lines"]:
        found += [line[4] for line in piece["lines"]]
        at = piece["from"] + len(piece["lines"])
    assert found == texts(lines)[begin:]
