"""A cell becomes exactly what the decorator makes."""

from __future__ import annotations

import asyncio
import inspect

import pytest

import nbflow
from nbflow import Activity, Retry
from nbflow.core.fingerprint import fingerprint
from nbflow.core.workflow import WorkflowFunction
from nbflow.magics import options


def test_an_activity_is_what_the_decorator_makes(shell):
    """Name, signature, options, doc and code are those of the decorated function."""
    shell.cell(
        "%%activity fetch(region: str, rows: int = 5) -> list --retry 3 --timeout 60 --version 2",
        '"""Orders of one region."""',
        "wanted = range(rows)",
        "[(region, n) for n in wanted]",
    )
    shell.cell(
        "@nbflow.activity(retry=3, timeout=60, version='2')",
        "def other(region: str, rows: int = 5) -> list:",
        '    """Orders of one region."""',
        "    wanted = range(rows)",
        "    return [(region, n) for n in wanted]",
    )
    made, other = shell["fetch"], shell["other"]
    assert type(made) is Activity
    assert made.name == "fetch"
    assert made.settings == other.settings
    assert made.signature == other.signature
    assert made.__doc__ == other.__doc__
    assert fingerprint(made.fn) == fingerprint(other.fn)
    assert made.fn("eu", 2) == [("eu", 0), ("eu", 1)]


def test_a_workflow_is_what_the_decorator_makes(shell):
    """A cell makes a workflow whose options and defaults are those of the decorator."""
    shell.cell("RATE = 1.08")
    shell.cell("%%activity double(x)", "2 * x")
    shell.cell(
        "%%workflow twice(x: int, rate: float = RATE) -> float --version 3 --task-list slow",
        "double(double(x))",
    )
    shell.cell("RATE = 2")
    made = shell["twice"]
    assert type(made) is WorkflowFunction
    assert (made.name, made.version, made.task_list) == ("twice", "3", "slow")
    assert made.signature.parameters["rate"].default == 1.08
    assert made(3).result() == 12


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (["x + 1"], 2),
        (["return x + 1"], 2),
        (["if x:", "    return 'yes'", "'no'"], "yes"),
        (["def inner():", "    return 5", "inner()"], 5),
        (["y = x"], None),
        (['"""Only a doc."""'], None),
        (['"""Doc."""', "x"], 1),
        (["", "", "    x + 1"], 2),
        (["text = '''a", "b'''", "text"], "a\nb"),
        (["text = f'''a{x", "}b", "  c'''", "text"], "a1b\n  c"),
        (["(x", " + 1)"], 2),
        (["x + 1  # a comment", "# another"], 2),
        (["x;"], 1),
    ],
    ids=str,
)
def test_the_result_is_the_last_expression_unless_there_is_a_return(shell, body, value):
    """A body's own ``return`` decides; without one its last expression is the result."""
    shell.cell("%%activity f(x)", *body)
    assert shell["f"](1) == value


def test_await_makes_it_async(shell):
    """A body that awaits is an ``async def``, in comprehensions too."""
    shell.cell("import asyncio")
    shell.cell("%%activity f(x)", "await asyncio.sleep(0)", "x")
    shell.cell("%%activity g(x)", "async def one():", "    await asyncio.sleep(0)", "x")
    assert shell["f"].is_async
    assert asyncio.run(shell["f"](3)) == 3
    assert not shell["g"].is_async


@pytest.mark.parametrize("line", ["", "double"], ids=["no name", "the same name"])
def test_a_def_is_taken_as_it_stands(shell, line):
    """A body that is one def needs no signature; a decorated one keeps what it was given."""
    shell.cell(
        f"%%activity {line}",
        "@nbflow.activity(retry=2)",
        "def double(x: int) -> int:",
        "    return 2 * x",
    )
    assert shell["double"].settings.retry == Retry(attempts=3)
    assert shell["double"](2) == 4
    shell.cell(f"%%workflow {line}", "async def double(x: int) -> int:", "    return 2 * x")
    assert shell["double"](4).result() == 8


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        (["%%activity f(x)", "def f(x):", "    return x"], "def of f already"),
        (["%%activity g", "def f(x):", "    return x"], "def of f already"),
        (["%%activity", "x + 1"], "give a signature"),
        (["%%activity f(x)", "# nothing"], "no code below"),
        (["%%workflow f"], "cell body is empty"),
        (["%%activity f(x)", "%%time", "x"], "one cell magic"),
        (["%%activity f(x) --cash", "x"], "unrecognized arguments: --cash"),
        (["%%activity f(x) --executor thread", "x"], "Did you mean 'threads'?"),
        (["%%activity f(x) --timeout soon", "x"], "no number of seconds"),
        (["%%activity f(x) --retry lots", "x"], "NameError"),
        (["%%activity f(x) --executor nbflow", "x"], "is no executor"),
        (["%%activity f(x) --name 'a", "x"], "No closing quotation"),
        (["%%activity f(x = MISSING)", "x"], "name 'MISSING' is not defined"),
        (["%%activity f(x)", "yield x"], "is a generator"),
        (["%%workflow f(x) -o run", "x"], "add --run"),
        (["%%workflow f(x) --run", "x"], "missing a required argument"),
        (["%%workflow f(x) --run --args '{x: 1}'", "x"], "--args"),
        (["%%workflow f(x) --run -o 2run --args [1]", "x"], "no name of a variable"),
        (["%%workflow f(x) --run --on mars --args [1]", "x"], "no executor 'mars'"),
    ],
    ids=str,
)
@pytest.mark.case("C11")
def test_what_makes_no_sense_is_told_on_one_line_and_leaves_nothing(shell, lines, what):
    """A cell that cannot be a definition fails with a UsageError, and no name is bound."""
    output = shell.cell(*lines).strip()
    assert output.startswith("UsageError: ")
    assert what in output
    assert len(output.splitlines()) == 1
    assert "f" not in shell.ip.user_ns


@pytest.mark.parametrize("magic", ["activity", "workflow"], ids=str)
@pytest.mark.case("C11")
def test_a_body_that_is_not_python_points_at_its_line(shell, magic):
    """A syntax error shows the cell's line and its text, and no frame of the magic."""
    output = shell.cell(f"%%{magic} f(x)", "y = x", "", "foo bar", "y")
    assert f"Cell In[{shell.number()}], line 4" in output
    assert "foo bar" in output
    assert "SyntaxError: invalid syntax" in output
    assert len(output.strip().splitlines()) == 4
    assert "f" not in shell.ip.user_ns


def test_errors_that_only_the_compiler_finds_point_at_their_line_too(shell):
    """So do those that Python finds after it has read the whole."""
    output = shell.cell("%%activity f(x)", "y = x", "break")
    assert f"Cell In[{shell.number()}], line 3" in output
    assert "SyntaxError: 'break' outside loop" in output


def test_a_traceback_shows_the_cells_line(shell):
    """Called as a plain function, an activity fails at the line of its cell."""
    shell.cell("%%activity f(x)", "y = x", "1 / y  # here")
    defined = shell.number()
    output = shell.cell("f(0)")
    assert f"Cell In[{defined}], line 3, in f(x)" in output
    assert "1 / y  # here" in output


def test_empty_lines_count(shell):
    """Lines are counted as the cell has them, those that are empty included."""
    shell.cell("%%activity f(x)", "", "", "    y = x", "", "    1 / y")
    assert f"Cell In[{shell.number()}], line 6, in f(x)" in shell.cell("f(0)")


def test_two_cells_with_one_body_are_told_apart(shell):
    """The same body under two names is two functions in two cells."""
    shell.cell("%%activity f(x)", "1 / x")
    first = shell.number()
    shell.cell("%%activity g(x)", "1 / x")
    assert f"Cell In[{first}], line 2, in f(x)" in shell.cell("f(0)")
    assert f"Cell In[{first + 2 - 1}], line 2, in g(x)" in shell.cell("g(0)")


def test_the_source_is_a_function(shell):
    """`inspect.getsource` gives the cell as a def, with strings as they were."""
    shell.cell("%%activity f(x: int) -> str --retry 1", "text = '''a", "  b'''", "text * x")
    expected = ["def f(x: int) -> str:", "    text = '''a", "  b'''", "    text * x"]
    assert inspect.getsource(shell["f"].fn).splitlines() == expected


def test_one_line_tells_what_was_defined(shell):
    """The line has the signature, what is called, what is captured, and what is missing."""
    shell.cell("import math", "K = 2", "LIST = list(range(1000))")
    output = shell.cell(
        "%%activity f(x: list[int], y=LIST) -> dict", "math.floor(K) + len(x) + gone"
    )
    assert output.strip() == (
        "f(x: list[int], y=[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,…) -> dict"
        " · captures: math, K · not defined yet: gone"
    )
    output = shell.cell("%%workflow w(x: nbflow.Retry = None)", "f([K])")
    assert output.strip() == "w(x: Retry = None) · uses f · captures: K"
    assert shell.cell("%%workflow w2()", "f([K]);") == ""


@pytest.mark.case("U41")
def test_a_changed_definition_is_a_new_version(shell):
    """Defining the same again changes nothing; defining something else is the next version."""
    first = shell.cell("%%activity f(x)", "x + 1")
    again = shell.cell("%%activity f(x)", "x + 1")
    changed = shell.cell("%%activity f(x)", "x + 2")
    assert first == again == "f(x)\n"
    assert "version 2" in changed


def test_options_may_be_expressions(shell):
    """``--retry`` takes what the decorator takes, ``--executor`` a variable."""
    shell.cell("from concurrent.futures import ThreadPoolExecutor", "pool = ThreadPoolExecutor(1)")
    shell.cell('%%activity f(x) --retry "nbflow.Retry(attempts=2, wait=0)" --executor pool', "x")
    assert shell["f"].settings.retry == Retry(attempts=2, wait=0)
    assert shell["f"].settings.executor is shell["pool"]
    shell["pool"].shutdown()


def test_names_in_logs_may_differ(shell):
    """``--name`` names it in logs; the variable is the header's."""
    shell.cell("%%activity f(x) --name fetch", "x")
    assert shell["f"].name == "fetch"


def test_every_option_of_an_activity_has_a_flag():
    """What the decorator takes, a cell can say: by the option's name, or by what it turns off."""
    takes = set(inspect.signature(nbflow.activity).parameters) - {"fn", "unknown"}
    flags = set(vars(options.read(options.activity_flags(), "")))
    turned = {"no_raise": "raises_on_failure", "no_persist": "persist"}
    assert {turned.get(flag, flag) for flag in flags} == takes


def test_an_activity_can_be_begun_at_most_once(shell):
    """``--once`` is ``once=True``."""
    shell.cell("%%activity charge(amount: int) -> int --once", "amount")
    assert shell["charge"].settings.once


def test_a_workflow_takes_further_options(shell):
    """``--options`` has what there is no flag for, and leaves what a decorator said."""
    shell.cell("%%workflow flow() --options \"{'max_events': 50, 'tags': ['a']}\"", "1")
    assert (shell["flow"].settings.max_events, shell["flow"].settings.tags) == (50, ("a",))
    shell.cell(
        "%%workflow --options \"{'max_events': 60}\"",
        "@nbflow.workflow(tags=['b'], max_events=5)",
        "def decorated():",
        "    return 1",
    )
    assert (shell["decorated"].settings.max_events, shell["decorated"].settings.tags) == (
        60,
        ("b",),
    )
    for wrong, said in (("[1]", "takes a dict"), ("{'max':1}", "unknown option max")):
        assert said in shell.cell(f'%%workflow flow() --options "{wrong}"', "1")


def test_braces_and_dollars_are_left_alone(shell):
    """IPython's own expansion of ``{x}`` and ``$x`` does not reach headers."""
    shell.cell("n = 7")
    shell.cell("%%activity f(path='{n} $n')", "path")
    assert shell["f"]() == "{n} $n"


def test_run_starts_a_run(shell):
    """``--run`` starts it with the arguments given, binds it, and gives it to be displayed."""
    shell.cell("%%activity double(x)", "2 * x")
    output = shell.cell("%%workflow w(x: int) --run --args '{\"x\": 4}' -o run --wait", "double(x)")
    assert "double-1" in output
    assert isinstance(shell["run"], nbflow.Run)
    assert shell["run"].result() == 8
    shell.cell("%%workflow w(x: int = 3) --run --on inline -o again", "double(x);")
    assert shell["again"].result() == 6
    assert next(shell["again"].events()).on == "inline"


def test_loading_twice_is_the_same_as_once(shell):
    """``%load_ext`` again adds nothing, and unloading takes all away."""
    ip = shell.ip
    before = len(ip.Completer.custom_matchers)
    shell.capture()
    nbflow.load_ipython_extension(ip)
    assert len(ip.Completer.custom_matchers) == before
    assert shell.capture()[0] == ""
    ip.extension_manager.unload_extension("nbflow")
    assert ip.find_cell_magic("activity") is None
    assert ip.find_line_magic("nbflow") is None
    assert len(ip.Completer.custom_matchers) == before - 1
    assert shell.cell("%load_ext nbflow").strip() == (
        f"nbflow {nbflow.__version__} · runs on threads(max_workers=4) · logs in :memory: · "
        "%nbflow? for help"
    )
