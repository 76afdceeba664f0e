"""What commands print: for people cut and padded, for programs exact and harmless."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbflow.cli.output import (
    FORMATS,
    Column,
    Record,
    Table,
    count_column,
    plain,
    seconds_column,
    time_column,
    written,
)

COLUMNS = (Column("run"), count_column("calls"), seconds_column("took"), time_column("started"))
ROWS = [("a-1", 1234, 0.25, 0.0), ("b-22", 3, None, None)]


def test_each_format_has_the_same_rows() -> None:
    """People get rounded values, programs exact ones: ISO times, seconds, numbers."""
    table = Table(COLUMNS[:3], [row[:3] for row in ROWS])
    assert written(table, "table") == "run   calls    took\na-1   1,234  250 ms\nb-22      3\n"
    assert written(table, "csv") == "run,calls,took\na-1,1234,0.25\nb-22,3,\n"
    assert written(table, "tsv", header=False) == "a-1\t1234\t0.25\nb-22\t3\t\n"
    found = json.loads(written(Table(COLUMNS, ROWS), "json"))
    assert found[0]["started"] == "1970-01-01T00:00:00.000Z"
    assert found[1] == {"run": "b-22", "calls": 3, "took": None, "started": None}
    lines = written(table, "jsonl").splitlines()
    assert [json.loads(line)["run"] for line in lines] == ["a-1", "b-22"]


def test_nothing_is_said_in_words_or_as_nothing() -> None:
    """An empty table is a sentence for people, and an empty list for programs."""
    table = Table(COLUMNS, [], "no runs yet")
    assert written(table, "table") == "no runs yet\n"
    assert written(table, "json") == "[]\n"
    assert written(table, "jsonl") == ""
    assert written(table, "csv") == "run,calls,took,started\n"


def test_a_record_is_lines_or_one_object() -> None:
    """A single thing is no list of one."""
    record = Record((Column("run"), Column("status")), ("a-1", "failed"))
    assert written(record, "table") == "run     a-1\nstatus  failed\n"
    assert json.loads(written(record, "json")) == {"run": "a-1", "status": "failed"}
    assert written(record, "csv") == "run,status\na-1,failed\n"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum", "\tx", "\rx"])
def test_c07_a_spreadsheet_takes_no_cell_for_a_formula(text: str) -> None:
    """Text that begins like a formula gets a quote in CSV and TSV, and stays itself in JSON."""
    table = Table((Column("x"),), [(text,)])
    cell = written(table, "csv").splitlines()[1].strip('"')
    assert cell[0] in "'\\"
    assert json.loads(written(table, "json")) == [{"x": text}]


@given(st.lists(st.tuples(st.text(), st.integers() | st.floats() | st.none()), max_size=4))
def test_c06_whatever_stands_in_a_table_it_is_one_line_a_row(
    rows: list[tuple[str, object]],
) -> None:
    """No name can make a terminal do something, add a line, or break a format."""
    table = Table((Column("name"), Column("value")), rows)
    for form in FORMATS:
        text = written(table, form)
        assert "\x1b" not in text
        if form in {"json", "jsonl"}:
            found = (
                json.loads(text)
                if form == "json"
                else [json.loads(x) for x in text.split("\n")[:-1]]
            )
            assert [each["name"] for each in found] == [name for name, _ in rows]
        elif form == "table" and rows:
            assert text.count("\n") == len(rows) + 1
            assert all(char.isprintable() for char in text.replace("\n", ""))
        elif form != "table":
            reader = csv.reader(io.StringIO(text), delimiter="," if form == "csv" else "\t")
            assert len(list(reader)) == len(rows) + 1


def test_a_terminal_is_not_wide_without_end() -> None:
    """Lines are cut where the terminal ends; what goes into a pipe is whole."""
    table = Table((Column("name"),), [("x" * 300,)])
    assert max(map(len, written(table, "table", width=40).splitlines())) <= 40
    assert "x" * 300 in written(table, "table")


def test_what_json_has_no_word_for_becomes_text() -> None:
    """A result of any type can be printed, and printing calls no code that could end badly."""
    assert plain({1: (float("nan"), {2})}) == {"1": ["NaN", "{2}"]}
