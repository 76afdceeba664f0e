"""Expressions, conditions, constructors and mappings have the values that FDL gives them."""

from __future__ import annotations

import json
from contextlib import suppress
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbflow.services.cloudflow import (
    EvaluationError,
    FdlError,
    Scope,
    construct,
    evaluate,
    holds,
    mapped,
)
from nbflow.services.cloudflow.fdl.syntax import (
    Binary,
    Function,
    Literal,
    Not,
    Path,
    Several,
    parse_expression,
)

DATA = {"n": 4, "s": "abc", "flag": True, "list": [1, 2, 2], "map": {"a": 1}, "odd key": 5}
SCOPE = Scope({"$Input": DATA, "$local": [{"p": [1, 2]}, {"p": [3]}]}, Random(0))

NAMES = st.text(max_size=8)
LEAVES = st.builds(
    Literal, st.text(max_size=9) | st.integers(-999, 10**9) | st.booleans() | st.none()
) | st.builds(
    Path,
    st.sampled_from(["$", "$Input", "$local"]),
    st.lists(NAMES | st.integers(0, 99) | st.none(), max_size=4).map(tuple),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(Several, st.lists(inner, max_size=3).map(tuple))
        | st.builds(Function, st.just("toArray"), st.lists(inner, max_size=3).map(tuple))
        | st.builds(
            Binary, st.sampled_from(["||", "&&", "==", "!=", "<", ">=", "in"]), inner, inner
        )
    ),
    max_leaves=8,
)


@given(TREES)
def test_a_tree_is_read_from_its_own_text(tree):
    """What is written of an expression is parsed to the same expression."""
    assert parse_expression(str(tree)) == tree


@given(st.text(max_size=40) | st.text('$.[]()!&|<>="` ,*ain1', max_size=30))
def test_any_text_has_a_value_or_a_clear_error(text):
    """No text raises anything but an error of ours."""
    with suppress(FdlError, EvaluationError):
        assert json.dumps(evaluate(text, SCOPE))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('$Input.s == "abc" && $Input.n >= 4', True),
        ("$Input.s == `abc` || $Input.missing", True),
        ("false && $Input.missing", False),
        ("!$Input.flag || 1 > 2", False),
        ("1 < 2 && 2 <= 2 && 3 != 4", True),
        ("true || false && false", True),
        ("$Input.n in [1, 4]", True),
        ("true == 1", False),
        ('$Input["odd key"]', 5),
        ("$Input.list[1]", 2),
        ("$local[*].p[*]", [1, 2, 3]),
        ("arrayContains($Input.list, 2)", True),
        ("arrayUnique($Input.list)", [1, 2]),
        ('toArray(1, "a")', [1, "a"]),
        ('format("a {} {}", "b", $Input.list)', "a b [1, 2, 2]"),
        ("length($Input.s)", 3),
        ('regexMatchString("^a.c$", $Input.s)', True),
        ('split("a,b", ",")', ["a", "b"]),
        ("mapKeys($Input.map)", ["a"]),
        ("mapValues($Input.map)", [1]),
        ('jsonMerge($Input.map, stringToJson("{\\"b\\":2}"))', {"a": 1, "b": 2}),
        ('fromJSON("[1]")', [1]),
        ("jsonToString($Input.map)", '{"a":1}'),
        ('toBase64("FnF")', "Rm5G"),
        ('fromBase64("Rm5G")', "FnF"),
        ('hash("abc", "MD5")', "900150983cd24fb0d6963f7d28e17f72"),
        ('get($Input.map, "a")', 1),
        ("get($Input.list, 0)", 1),
        ("intAdd($Input.n, -1)", 3),
        ("randomInt(3, 4)", 3),
        ("length(uuid())", 36),
    ],
)
def test_values(text, value):
    """Each operator and each built-in function gives what is described."""
    assert evaluate(text, SCOPE) == value


@pytest.mark.parametrize(
    "text",
    [
        "$Input.s < 3", "$Input.nothing", "$Input.list[9]", "$Global.x", "!$Input.n", "1 && true",
        "1 in 2", "length(1)", 'hash("a", "X")', 'fromBase64("?")', 'stringToJson("{")',
        'regexMatchString("(", "a")', 'format("{}")', "randomInt(2, 2)", "intAdd(true, 1)",
        "get($Input.list, true)", "$Input[*]",
    ],
)  # fmt: skip
def test_no_value_is_an_error_that_a_flow_can_catch(text):
    """Data that do not fit give an `EvaluationError` with the flow's code."""
    with pytest.raises(EvaluationError) as caught:
        evaluate(text, SCOPE)
    assert caught.value.code == "FnF.RuntimeError"


@pytest.mark.parametrize(
    "text",
    [
        "", "1 2", "a", "$Input.", "$Input[", '"', "(1", "nosuch(1)", "length()", "uuid(1)", "#",
        "(" * 200, "!" * 200 + "true", "true" + "||true" * 200, "1e999", "9" * 400, "-1.",
        "length(" * 11 + "1" + ")" * 11,
    ],
)  # fmt: skip
def test_what_is_no_expression_is_refused(text):
    """Text that cannot be read, or goes too deep, is an `FdlError`."""
    with pytest.raises(FdlError):
        evaluate(text, SCOPE)


def test_constructors_compute_only_what_is_marked():
    """Text under a plain key is itself, even if it looks like an expression."""
    template = {"a": "$Input.n", "b.$": "$Input.n", "c": [{"d.$": "$Input.s"}]}
    assert construct(template, SCOPE) == {"a": "$Input.n", "b": 4, "c": [{"d": "abc"}]}


def test_mappings_take_what_is_no_path_for_a_constant():
    """In the old language only text that begins with a variable is a path."""
    found = mapped([("a", "$local[1].p"), ("b", "$price"), ("c", [1])], SCOPE)
    assert found == {"a": [3], "b": "$price", "c": [1]}


def test_a_condition_is_true_or_false():
    """A value that is neither is refused rather than guessed."""
    assert holds("$Input.flag", SCOPE)
    with pytest.raises(EvaluationError, match="neither true nor false"):
        holds("$Input.n", SCOPE)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(.*a){30}$", "a*a*a*a*a*a*b"])
def test_a_hostile_pattern_takes_no_longer(pattern):
    """Patterns that Python's own engine would search for years have an answer at once."""
    data = Scope({"$Input": {"p": pattern, "t": "a" * 5000 + "!"}})
    assert evaluate("regexMatchString($Input.p, $Input.t)", data) is False


@pytest.mark.parametrize("pattern", ["(", "(a)\\1", "(?=a)", "((a{100}){100}){100}"])
def test_what_is_no_pattern_of_the_service_is_refused(pattern):
    """Patterns are those of RE2; others, and those that would need much memory, are errors."""
    with pytest.raises(EvaluationError, match="no regular expression"):
        evaluate("regexMatchString($Input.p, `aa`)", Scope({"$Input": {"p": pattern}}))
