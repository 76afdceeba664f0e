"""Forms, by driving the values of their widgets."""

from __future__ import annotations

import ast
import datetime as dt
import decimal
import enum
import inspect
import pathlib
import re
import threading
import uuid
from typing import Annotated, Any, Literal

import ipywidgets
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbflow
from nbflow.core.errors import Unserialisable
from nbflow.viz.fields import Field, arguments
from nbflow.viz.kinds import kind_of, shown

NOON = dt.datetime.fromisoformat("2026-01-01T12:00")
AWARE = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class Color(enum.Enum):
    RED = 1
    BLUE = "b"


def short(value):
    return str(value)[:30]


class Bound:
    """Like those of annotated-types."""

    def __init__(self, **bounds):
        self.__dict__.update(bounds)


def form_of(fn):
    return nbflow.workflow(fn).form()


def put(form, **texts):
    """Write into fields as a person does."""
    for name, text in texts.items():
        form.fields[name].widget.value = text


def press(form):
    """Click on Run."""
    form._button.click()


def enter(field):
    """Press Enter in a text field: the browser sends this."""
    field.widget._handle_custom_msg({"event": "submit"}, [])


# ------------------------------------------------------------------ kinds


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (int, " 12 ", 12),
        (float, "1e3", 1000.0),
        (float, "2", 2.0),
        (complex, "1+2j", 1 + 2j),
        (bool, "True", True),
        (str, " as it is ", " as it is "),
        (Literal["fast", "slow"], "slow", "slow"),
        (Literal[1, "1"], "1", 1),
        (Literal[1, "1"], "'1'", "1"),
        (Color, "BLUE", Color.BLUE),
        (dt.date, "2026-01-31", dt.date(2026, 1, 31)),
        (dt.datetime, "2026-01-31 12:00", dt.datetime.fromisoformat("2026-01-31T12:00")),
        (dt.time, "12:30", dt.time(12, 30)),
        (pathlib.Path, "a/b", pathlib.Path("a/b")),
        (decimal.Decimal, "1.10", decimal.Decimal("1.10")),
        (uuid.UUID, "0" * 32, uuid.UUID(int=0)),
        (list[str], "eu, us", ["eu", "us"]),
        (list[str], '"a, b", c,', ["a, b", "c"]),
        (list[str], "['eu', 'a, b']", ["eu", "a, b"]),
        (list[int], "1, 2,3", [1, 2, 3]),
        (list[float], "[1, 2.5]", [1.0, 2.5]),
        (list[Color], "RED, BLUE", [Color.RED, Color.BLUE]),
        (list[dt.date], "2026-01-31", [dt.date(2026, 1, 31)]),
        (list[list[int]], "[[1], [2, 3]]", [[1], [2, 3]]),
        (list, "1, 'a'", [1, "a"]),
        (tuple[int, ...], "1, 2", (1, 2)),
        (set[int], "1, 1", {1}),
        (int | None, "3", 3),
        (int | str, "3", 3),
        (str | int, "x", "x"),
        (dict, "{'a': [1]}", {"a": [1]}),
        (dict[str, int], "{'a': 1}", {"a": 1}),
        (tuple[int, str], "(1, 'a')", (1, "a")),
        (Any, "None", None),
        (inspect.Parameter.empty, "{1, 2}", {1, 2}),
        (threading.Event, "1", 1),
        (Annotated[int, "days"], "4", 4),
        ([], "4", 4),
    ],
    ids=short,
)
def test_a_text_is_read_by_the_annotation(annotation, text, value):
    """Each sort of annotation reads what a person would write for it, and gives its exact type."""
    found = kind_of(annotation).read(text)
    assert (found, type(found)) == (value, type(value))
    if isinstance(value, list):
        assert [type(item) for item in found] == [type(item) for item in value]


@pytest.mark.parametrize(
    ("annotation", "text", "message"),
    [
        (int, "1.5", "1.5 is not a whole number"),
        (int, "9" * 5000, "is not a whole number"),
        (float, "1,5", "1,5 is not a number"),
        (Literal["fast", "slow"], "medium", "medium is not one of fast, slow"),
        (Color, "GREEN", "GREEN is not one of RED, BLUE"),
        (dt.date, "31.1.2026", "31.1.2026 is not a date such as 2026-01-31"),
        (list[int], "1, x", "item 2: x is not a whole number"),
        (list[int], "[1, '2']", "item 2: 2 is not a whole number"),
        (list[int], "[True]", "item 1: True is not a whole number"),
        (list[int], "[1", "not a Python literal"),
        (list[str], "[1]", "item 1: 1 is not text"),
        (list[list[int]], "[1]", "item 1: write several values as in [1, 2]"),
        (dict, "[1]", "that is list, not dict"),
        (int | float, "x", "x is not a whole number or a number"),
        (Any, "open('x')", "not a Python literal"),
        (Any, "__import__('os').system('true')", "not a Python literal"),
        (Any, "[" * 10_000, "not a Python literal"),
        (Any, "1" * 200_000, "longer than 100,000 characters"),
        (Annotated[int, range(1, 10)], "10", "it must be from 1 to 9"),
        (Annotated[int, range(0, 10, 5)], "6", "it must be from 0 to 5 in steps of 5"),
        (Annotated[float, Bound(ge=0)], "-1", "it must be at least 0"),
        (Annotated[float, Bound(gt=0, lt=1)], "1", "it must be less than 1"),
        (Annotated[float, Bound(le=1)], "nan", "it must be at most 1"),
        (list[Annotated[int, range(3)]], "2, 3", "item 2: it must be from 0 to 2"),
    ],
    ids=short,
)
def test_what_is_wrong_is_said_in_words(annotation, text, message):
    """A text that does not fit raises one message that says what it is not; none is evaluated."""
    with pytest.raises(ValueError, match=re.escape(message)):
        kind_of(annotation).read(text)


LITERALS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=8,
)


@given(LITERALS)
def test_a_default_that_is_shown_reads_as_itself(value):
    """What a field shows of a default is read as that default; what cannot be is not shown."""
    text = shown(value)
    if text:
        assert ast.literal_eval(text) == value
    parameter = inspect.Parameter("x", inspect.Parameter.KEYWORD_ONLY, default=value)
    field = Field(parameter)
    found = field.value()
    assert (found, type(found)) == (value, type(value))
    assert field.check() == ""


@given(st.text(), st.sampled_from([int, float, bool, list[int], dict, Any, Color, dt.date, list]))
def test_any_text_is_read_or_refused(text, annotation):
    """Whatever is typed, there is a value or a message, and never another error."""
    field = Field(inspect.Parameter("x", inspect.Parameter.KEYWORD_ONLY), annotation)
    if isinstance(field.widget, ipywidgets.Text):
        field.widget.value = text
    assert field.check() == field.error


# ------------------------------------------------------------------ widgets


def test_each_sort_of_parameter_gets_its_widget():
    """Choices are chosen, dates picked, booleans ticked, and all else is written."""

    def fn(
        a: int,
        b: bool,
        c: Color,
        d: list[Color],
        e: dt.date,
        f: dt.datetime,
        g: dt.time,
        h: Literal["x", "y"] | None = None,
        i: bool = True,
        j: str = "two\nlines",
        k=Color.RED,
        m: dt.datetime = AWARE,
        n: list[bool] = [True, True],  # noqa: B006 - as people write
    ):
        """Nothing."""

    wanted = [
        ipywidgets.Text,
        ipywidgets.Dropdown,
        ipywidgets.Dropdown,
        ipywidgets.SelectMultiple,
        ipywidgets.DatePicker,
        ipywidgets.NaiveDatetimePicker,
        ipywidgets.TimePicker,
        ipywidgets.Dropdown,
        ipywidgets.Checkbox,
        ipywidgets.Textarea,
        ipywidgets.Dropdown,
        ipywidgets.DatetimePicker,
        ipywidgets.Text,
    ]
    form = form_of(fn)
    assert [type(f.widget) for f in form.fields.values()] == wanted
    put(form, a="1", b="False", c="BLUE", d=("RED",))
    put(form, e=dt.date(2026, 1, 1), f=NOON, g=dt.time(1))
    assert form.values == {
        "a": 1,
        "b": False,
        "c": Color.BLUE,
        "d": [Color.RED],
        "e": dt.date(2026, 1, 1),
        "f": NOON,
        "g": dt.time(1),
        "h": None,
        "i": True,
        "j": "two\nlines",
        "k": Color.RED,
        "m": AWARE,
        "n": [True, True],
    }


def test_what_has_to_be_filled_in_is_marked_and_named():
    """A star is at each such field, the line at the button names those left, none is red."""
    form = form_of(_three)
    titles = [f.widget.description for f in form.fields.values()]
    assert titles == ["regions *", "rate", "note"]
    assert form._button.disabled
    assert form._said.value == "to be filled in: regions"
    assert [f.error for f in form.fields.values()] == ["", "", ""]
    put(form, regions="eu")
    assert not form._button.disabled
    assert form._said.value == ""


def _three(regions: list[str], rate: float = 1.08, note: str | None = None):
    """Revenue of some regions.

    In euros.
    """
    return {"regions": regions, "rate": rate, "note": note}


def test_a_wrong_field_says_so_and_nothing_can_be_started():
    """The message is beside the field and goes when it is right; Run and Enter do nothing."""
    form = form_of(_three)
    put(form, regions="eu, us", rate="fast")
    assert form.fields["rate"].error == "✗ fast is not a number"
    assert form._button.disabled
    enter(form.fields["rate"])
    with pytest.raises(ValueError, match="rate: fast is not a number"):
        form.start()
    assert form.history == []
    put(form, rate="2")
    assert form.fields["rate"].error == ""
    assert not form._button.disabled


def test_run_starts_a_run_with_what_is_filled_in():
    """The handle is in `run`; a field left empty takes its default; each press is a new run."""
    form = form_of(_three)
    assert form.history == []
    assert form.run is None
    put(form, regions="eu, us", rate="")
    press(form)
    assert form.history[0].result() == {"regions": ["eu", "us"], "rate": 1.08, "note": None}
    assert form.history[0].id in form._said.value
    put(form, note="second")
    enter(form.fields["note"])
    assert [run.result()["note"] for run in form.history] == [None, "second"]
    assert form.run is form.history[-1]


def test_a_second_run_can_be_started_while_the_first_goes_on():
    """Both go on, and both stay in view; what is over makes room for the next."""
    gate = threading.Event()

    @nbflow.activity
    def hold(n: int) -> int:
        gate.wait()
        return n

    @nbflow.workflow
    def w(n: int):
        return hold(n)

    form = w.on("threads", max_workers=2).form()
    for n in ("1", "2"):
        put(form, n=n)
        press(form)
    one, two = form.history
    assert not one.done()
    assert len(form._panels.children) == 2
    gate.set()
    assert (one.result(), two.result()) == (1, 2)
    press(form)
    assert form.run is not None
    assert form.run.result() == 2
    assert len(form._panels.children) == 1


def test_a_run_that_cannot_be_started_is_told_beside_the_button():
    """One line says why; what is filled in stays, and there is no run."""
    lock = threading.Lock()

    def fn(x: int, held=lock):
        return x

    form = form_of(fn)
    put(form, x="1")
    press(form)
    assert form._said.value.startswith("✗ not started: ")
    assert "held" in form._said.value
    assert form.history == []
    assert form.fields["x"].widget.value == "1"
    with pytest.raises(Unserialisable):
        form.start()


def test_a_default_that_is_no_literal_is_left_to_the_workflow():
    """Its class is told in the empty field, its repr is not run, and the run gets the thing."""

    class Loud:
        def __repr__(self):
            raise AssertionError

    default = Loud()

    def fn(x=default):
        """Nothing."""

    form = form_of(fn)
    assert form.fields["x"].widget.value == ""
    assert form.fields["x"].widget.placeholder == "default: <Loud>"
    assert form.values["x"] is default
    assert "<Loud>" in form.text()


# ------------------------------------------------------------------ signatures


def test_a_workflow_without_parameters_can_be_started_at_once():
    """There is the button, and nothing to fill in."""
    form = form_of(_nothing)
    assert form.fields == {}
    press(form)
    assert form.run is not None
    assert form.run.result() == 7


def _nothing():
    return 7


def _all_sorts(a: int, /, b: int, *more: int, c: int = 3, **named: float):
    return [a, b, list(more), c, named]


def test_every_kind_of_parameter_is_passed_as_it_has_to_be():
    """Positional-only, *args, keyword-only and **kwargs reach the workflow as in a call."""
    form = form_of(_all_sorts)
    titles = [f.widget.description for f in form.fields.values()]
    assert titles == ["a *", "b *", "*more", "c", "**named"]
    put(form, a="1", b="2")
    assert form.start().result() == [1, 2, [], 3, {}]
    put(form, more="8, 9", c="4", named="{'x': 1, 'a': 2}")
    assert form.start().result() == [1, 2, [8, 9], 4, {"x": 1.0, "a": 2.0}]
    put(form, named="{'b': 1}")
    assert form._button.disabled
    assert "b: there is a field for it" in form._said.value
    put(form, named="[1]")
    assert "write names and values" in form.fields["named"].error
    put(form, named="{'x': 'y'}", more="1, z")
    assert form.fields["more"].error == "✗ item 2: z is not a whole number"


KINDS = [
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.VAR_POSITIONAL,
    inspect.Parameter.KEYWORD_ONLY,
    inspect.Parameter.VAR_KEYWORD,
]


@given(st.data())
def test_arguments_bind_as_filled_in(data):
    """Whatever the signature, the arguments bind to it and give each parameter its value."""
    P = inspect.Parameter
    once = {P.VAR_POSITIONAL, P.VAR_KEYWORD}
    kinds = data.draw(st.lists(st.sampled_from(KINDS), max_size=6))
    kinds = sorted(k for i, k in enumerate(kinds) if k not in kinds[:i] or k not in once)
    parameters = [P(f"p{i}", kind) for i, kind in enumerate(kinds)]
    fields, wanted = [], {}
    for p in parameters:
        several, named = p.kind is P.VAR_POSITIONAL, p.kind is P.VAR_KEYWORD
        plain = data.draw(st.integers())
        value = data.draw(st.lists(st.integers())) if several else {"q": plain} if named else plain
        field = Field(p, int)
        field.widget.value = repr(value)
        fields.append(field)
        wanted[p.name] = tuple(value) if isinstance(value, list) else value
    given_arguments = arguments(fields)
    bound = inspect.Signature(parameters).bind(*given_arguments.args, **given_arguments.kwargs)
    bound.apply_defaults()
    assert bound.arguments == wanted


class Basic(nbflow.Workflow):
    """Counts."""

    name = "basic"

    def run(self, x: int, t: float = 0.5):
        return [x, t]


def test_a_class_workflow_has_a_form_too():
    """Its fields are the parameters of ``run``, without ``self``; its docstring is the help."""
    form = Basic.form()
    assert list(form.fields) == ["x", "t"]
    put(form, x="1")
    assert form.start().result() == [1, 0.5]
    assert form.run is not None
    assert form.run.workflow == "basic"
    assert Basic.on("inline").form().fields.keys() == form.fields.keys()
    assert [label.value for label in form.widget.children[:2]] == ["basic", "Counts."]


def test_annotations_that_cannot_be_resolved_are_literals():
    """A name that is not defined leaves the field to literals, and the form is made."""
    code = "from __future__ import annotations\ndef fn(x: Unknown, y: int = 1): return [x, y]"
    space: dict[str, Any] = {"__name__": __name__}
    exec(compile(code, "<cell>", "exec"), space)
    form = form_of(space["fn"])
    put(form, x="[1]")
    assert form.values == {"x": [1], "y": 1}


# ------------------------------------------------------------------ what is seen


def test_the_docstring_is_the_help():
    """Its lines are above the fields, as text."""
    labels = [c.value for c in form_of(_three).widget.children if isinstance(c, ipywidgets.Label)]
    assert labels == [
        "_three",
        "Revenue of some regions.",
        "",
        "In euros.",
        "* has to be filled in",
    ]


def test_names_cannot_hide_anything():
    """Control characters in a workflow's name and help are written out."""
    fn = nbflow.workflow(name="a\x1b[31m\u202eb")(_nothing)
    form = fn.form()
    assert form.widget.children[0].value == "a\\x1b[31m\\u202eb"
    assert "\x1b" not in form.text() + repr(form)


def test_without_widgets_it_is_a_text(capsys):
    """A terminal shows the fields, their kinds, their defaults and how to start a run."""
    form = form_of(_three)
    form._ipython_display_()
    assert capsys.readouterr().out == (
        "form of workflow _three\n"
        "Revenue of some regions.\n"
        "\n"
        "In euros.\n"
        "  regions: several, each text *\n"
        "  rate: a number = 1.08\n"
        "  note: text = None\n"
        "Here is no widget to fill in; start a run by _three(regions, rate, note)\n"
    )
