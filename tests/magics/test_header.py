"""The first line of a magic: any Python signature, then flags."""

from __future__ import annotations

import inspect
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.error import UsageError

from nbflow.magics.header import parse, split_flags

NAMES = st.sampled_from(["x", "rows", "región", "_a", "b2", "match"])
VALUES = st.one_of(
    st.text(
        string.printable.replace("\n", "")
        .replace("\r", "")
        .replace("\x0b", "")
        .replace("\x0c", ""),
        max_size=12,
    ),
    st.integers(),
    st.booleans(),
    st.none(),
)
DEFAULTS = st.recursive(
    VALUES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(")(]['\"-> ", max_size=4), inner, max_size=2)
    ),
    max_leaves=6,
)
ANNOTATIONS = st.sampled_from(
    [
        "int",
        "list[str]",
        "dict[str, tuple[int, ...]]",
        "'a -> b'",
        "x - y",
        "lambda: {1: '--run'}",
        "-1",
    ]
)
FLAGS = st.lists(
    st.sampled_from(["--retry 3", "-o run", "--run", '--args \'{"x": "a ) b"}\'', "--name it's"]),
    max_size=3,
).map(" ".join)
KINDS = inspect.Parameter


@st.composite
def signatures(draw) -> str:
    """Write the parameters of a function."""
    names = draw(st.lists(NAMES, unique=True, max_size=5))
    kinds = sorted(
        draw(
            st.lists(
                st.sampled_from(
                    [KINDS.POSITIONAL_ONLY, KINDS.POSITIONAL_OR_KEYWORD, KINDS.KEYWORD_ONLY]
                ),
                min_size=len(names),
                max_size=len(names),
            )
        )
    )
    parameters, optional = [], False
    for name, kind in zip(names, kinds, strict=True):
        optional = draw(st.booleans()) or (optional and kind is not KINDS.KEYWORD_ONLY)
        default = draw(DEFAULTS) if optional else KINDS.empty
        parameters.append(KINDS(name, kind, default=default))
    return str(inspect.Signature(parameters))


@given(params=signatures(), returns=ANNOTATIONS, flags=FLAGS, gap=st.sampled_from(["", " ", "  "]))
def test_every_signature_comes_through(params, returns, flags, gap):
    """Whatever Python takes as a signature is read whole, and the flags after it are left whole."""
    found = parse(f"fetch{gap}{params} -> {returns} {flags}")
    assert found.name == "fetch"
    assert inspect.signature(_made(found.signature)) == inspect.signature(
        _made(f"fetch{params} -> {returns}")
    )
    assert found.flags == flags


def _made(text: str):
    space: dict = {"x": 1, "y": 2}
    exec(f"def {text}: pass", space)
    return space["fetch"]


@given(st.text(max_size=40).filter(lambda text: "\n" not in text))
def test_no_line_does_harm(line):
    """Any line is read, or refused with a message of one line."""
    message = "none"
    try:
        parse(line)
    except UsageError as error:
        message = str(error)
    assert message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("revenue", ("revenue", "", "", "")),
        ("", ("", "", "", "")),
        ("--retry 3", ("", "", "", "--retry 3")),
        ("f --run", ("f", "", "", "--run")),
        ("f -> int -o run", ("f", "", "int", "-o run")),
        ("f->int", ("f", "", "int", "")),
        ("f(x) --name it's", ("f", "(x)", "", "--name it's")),
        ("f -> a-b", ("f", "", "a-b", "")),
        ("f(x=-1) -> a - b --run", ("f", "(x=-1)", "a - b", "--run")),
    ],
    ids=str,
)
def test_what_may_be_left_out(line, expected):
    """Name alone, flags alone, and an arrow without brackets all mean what they say."""
    found = parse(line)
    assert (found.name, found.params, found.returns, found.flags) == expected


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("2x(y)", "no Python name"),
        ("fetch-all", "no Python name"),
        ("class(x)", "keyword"),
        ("(x)", "name is missing"),
        ("f(x", "not closed"),
        ("f(x = 'a)", "(x = 'a)"),
        ("f(x) y", "neither a signature nor a flag"),
        ("f(x) ->", "annotation is missing"),
        ("f(x, x)", "f(x, x)"),
        ("f(x=1, y)", "f(x=1, y)"),
        ("f(x) -> int: y", "f(x) -> int: y"),
    ],
    ids=str,
)
def test_what_is_refused(line, what):
    """A line that is no header is refused, and the message shows the part that is wrong."""
    with pytest.raises(UsageError) as caught:
        parse(line)
    assert what in str(caught.value)


def test_an_expression_ends_at_its_first_flag():
    """A dash is a flag after a space and before none; in brackets and quotes it never is."""
    text = "revenue(['--run'], rate=1 - x) --on processes -o run"
    assert split_flags(text) == ("revenue(['--run'], rate=1 - x)", "--on processes -o run")
