"""Arguments on the command line: read exactly, or refused in one line that says where."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbflow.cli.faults import USAGE, CommandError
from nbflow.cli.inputs import arguments


@pytest.mark.parametrize(
    ("text", "given_as"),
    [
        ("[1, 2]", ([1, 2], {})),
        ('{"x": 1}', ([], {"x": 1})),
        ('{"args": [1], "kwargs": {"y": 2}}', ([1], {"y": 2})),
        ('{"args": [1]}', ([1], {})),
        ('{"args": 1}', ([], {"args": 1})),
        ("3", ([3], {})),
        ('"a"', (["a"], {})),
        ("null", ([None], {})),
    ],
)
def test_input_is_positional_named_or_both(text: str, given_as: object) -> None:
    """A list is positional, an object is named, both are both, and all else is one argument."""
    assert arguments(text, None, ()) == given_as


def test_arguments_by_name_are_json_or_text() -> None:
    """What is no JSON is taken as text, so that names need no quotes within quotes."""
    found = arguments(None, None, ["n=3", "name=eu", "list=[1]", 'quoted="3"', "empty=", "eq=a=b"])
    assert found[1] == {"n": 3, "name": "eu", "list": [1], "quoted": "3", "empty": "", "eq": "a=b"}


def test_files_and_names_go_together(tmp_path: Path) -> None:
    """A name on the command line is in the place of the same name in the file."""
    (tmp_path / "in.json").write_text('{"x": 1, "y": 2}')
    (tmp_path / "in.toml").write_text('x = 1\nwhen = "now"')
    assert arguments(None, str(tmp_path / "in.json"), ["y=5"]) == ([], {"x": 1, "y": 5})
    assert arguments(None, str(tmp_path / "in.toml"), ()) == ([], {"x": 1, "when": "now"})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"x": 1', "column 8"),
        ('{\n"x": tru\n}', "line 2, column 6: '\"x\": tru'"),
        ('{"x": 1, "x": 2}', "'x' is there twice"),
        ("", "column 1"),
        ("[" * 100_000, "nested too deep"),
    ],
)
def test_c01_bad_json_is_refused_with_its_place(text: str, says: str) -> None:
    """Bad input is one line with line, column and the text, and exits with 2."""
    with pytest.raises(CommandError) as caught:
        arguments(text, None, ())
    assert says in caught.value.message
    assert caught.value.exit_code == USAGE


@given(st.text(max_size=60))
def test_c01_whatever_is_typed_it_is_read_or_refused(text: str) -> None:
    """No text makes the reader raise anything but its own error."""
    with contextlib.suppress(CommandError):
        args, kwargs = arguments(text, None, ())
        assert isinstance(args, list)
        assert isinstance(kwargs, dict)


@pytest.mark.parametrize("pair", ["x", "=1", "1x=3", "a b=3", "--x=3"])
def test_an_argument_without_a_name_is_refused(pair: str) -> None:
    """--arg takes name=value alone."""
    with pytest.raises(CommandError, match="name=value"):
        arguments(None, None, [pair])


def test_two_inputs_are_refused_and_missing_files_named(tmp_path: Path) -> None:
    """Nobody has to guess which of two counted, or which file was meant."""
    with pytest.raises(CommandError, match="leave one of them out"):
        arguments("[]", "x.json", ())
    with pytest.raises(CommandError, match=r"nothere\.json cannot be read"):
        arguments(None, str(tmp_path / "nothere.json"), ())
    (tmp_path / "bad.toml").write_text("x = ")
    with pytest.raises(CommandError, match=r"bad\.toml is no TOML"):
        arguments(None, str(tmp_path / "bad.toml"), ())
