"""In a real kernel: as a front end with somebody before it talks to it, and as nbclient does."""

from __future__ import annotations

import pytest

pytestmark = [
    pytest.mark.timeout(120),
    # nbclient leaves the loop that it has made for itself open
    pytest.mark.filterwarnings("ignore:unclosed event loop:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

FLOW = ("%%activity fetch(x)", "y = x", "1 / y"), ("%%workflow w(x)", "fetch(x)")


@pytest.fixture
def flow(kernel):
    """Give a kernel with a workflow."""
    for cell in FLOW:
        kernel.run(*cell)
    return kernel


def test_a_start_returns_at_once(flow, tmp_path):
    """With somebody looking, the cell ends while the run goes on, and the run is displayed."""
    gate = tmp_path / "gate"
    flow.run("import os, time", f"gate = {str(gate)!r}")
    flow.run("%%activity hold()", "while not os.path.exists(gate):", "    time.sleep(0.01)")
    flow.run("%%workflow h()", "hold()")
    assert flow.run("run = h()").status == "ok"
    assert flow.run("print(run.status)").text == "running\n"
    gate.touch()
    assert flow.run("run.wait(); print(run.status)").text == "completed\n"


@pytest.mark.parametrize("place", ["threads", "processes"], ids=str)
def test_a_later_cell_does_not_change_a_run(kernel, tmp_path, place):
    """An activity that is held up reads its global as it was when the run was started."""
    gate = tmp_path / "gate"
    kernel.run("import os, time", f"gate = {str(gate)!r}", "K = 2")
    kernel.run(
        "%%activity scaled(x)",
        "while not os.path.exists(gate):",
        "    time.sleep(0.01)",
        "K * x",
    )
    kernel.run("%%workflow w(x)", "scaled(x)")
    kernel.run(f"run = w.on('{place}').start(21)")
    assert kernel.run("K = 1000").status == "ok"
    gate.touch()
    assert kernel.run("print(run.result(), K)").text == "42 1000\n"


def test_the_report_reaches_the_front_end(flow):
    """Error name, value and traceback of the message and of the reply are the run's."""
    reply = flow.run("run = w(0)", "run.result()")
    assert reply.status == "error"
    assert reply.content["ename"] == "ZeroDivisionError"
    assert reply.content["evalue"] == "division by zero"
    error = reply.outputs[-1]
    assert error["traceback"] == reply.content["traceback"]
    assert "line 3, in fetch(x=0)\n      1 / y\n" in reply.text
    assert "run.failed[0].reproduce()  ·  fix the cell, then run.resume()" in reply.text
    assert len(error["traceback"]) <= 25
    reply = flow.run("await w(0)")
    assert "line 3, in fetch(x=0)\n      1 / y\n" in reply.text


def test_a_debugger_finds_the_cell(kernel):
    """The function's file is the one that a front end sets breakpoints in for that cell."""
    cell = "%%activity f(x: int) -> int --retry 1", "y = x", "y"
    kernel.run(*cell)
    reply = kernel.run(
        "from ipykernel.compiler import get_file_name",
        f"print(f.fn.__code__.co_filename == get_file_name({chr(10).join(cell)!r}))",
    )
    assert reply.text == "True\n"


def test_a_syntax_error_points_at_the_cells_line(kernel):
    """A front end gets a SyntaxError with the line of the cell."""
    reply = kernel.run("%%activity f(x)", "y = x", "foo bar")
    assert reply.content["ename"] == "SyntaxError"
    assert ", line 3\n    foo bar\n" in reply.text


def test_a_usage_error_stops_the_notebook(kernel):
    """A header that is wrong makes the reply an error, so that Run All stops."""
    reply = kernel.run("%%activity f(x", "x")
    assert reply.status == "error"
    assert reply.content["ename"] == "UsageError"


def test_cells_run_again(flow):
    """Loading, defining and starting again are all fine."""
    for _ in range(2):
        assert flow.run("%load_ext nbflow").status == "ok"
        for cell in FLOW:
            assert flow.run(*cell).status == "ok"
        assert flow.run("run = w(1)", "run.result()").text == "1.0"


def test_tab_completes(flow):
    """The kernel's completion gives our flags, verbs and names."""
    assert "--retry" in flow.complete("%%activity f(x) --re")
    assert flow.complete("%nbflow sta") == ["status"]


@pytest.mark.parametrize("magic", ["%%activity", "%%workflow", "%nbflow"], ids=str)
def test_help_is_paged(kernel, magic):
    """``?`` sends the help with its examples to the front end's pager."""
    reply = kernel.run(f"{magic}?")
    page = reply.content["payload"][0]
    assert page["source"] == "page"
    assert magic in page["data"]["text/plain"]


def test_a_notebook_without_a_reader_waits(headless):
    """Under nbclient a cell ends when its runs have, with their picture in its outputs."""
    done = headless(
        "%load_ext nbflow",
        "%%activity fetch(x)\nx + 1",
        "%%workflow w(x)\nfetch(x)",
        "run = w(1)",
        "print(run.status)",
        "run = w(2)\nrun",
    )
    assert done.error is None
    assert done.text(4) == "completed\n"
    for cell in (3, 5):
        pictures = [kinds for kinds in done.kinds(cell) if "image/png" in kinds]
        assert len(pictures) == 1
        assert "w  ✓ completed" in done.text(cell)


TALK = """
import logging, sys
@nbflow.activity
def talk():
    print("to stdout")
    print("to stderr", file=sys.stderr)
    logging.getLogger("x").warning("careful")
@nbflow.workflow
def talks():
    return talk().result()
run = talks.on({place!r}).start()
done = run.wait()
"""


@pytest.mark.parametrize("place", ["threads", "processes", "asyncio"])
def test_what_workers_write_is_in_the_log_and_not_under_a_cell(kernel, place):
    """Where somebody has a panel, prints do not land under whatever cell is newest."""
    reply = kernel.run(TALK.format(place=place))
    assert (reply.status, reply.text) == ("ok", "")
    wanted = "to stdout\nto stderr\nWARNING: careful\n"
    assert kernel.run("print(run.output('talk-1'), end='')").text == wanted
    both = kernel.run("nbflow.configure(output='both')", TALK.format(place=place))
    assert "to stdout" in both.text or place == "processes"
    kernel.run("nbflow.configure(output='auto')")


def test_what_the_cell_runs_itself_is_under_the_cell(kernel):
    """An inline activity, a debugger in it included, prints where the cell does; and to the log."""
    reply = kernel.run(TALK.format(place="inline"))
    assert "to stdout" in reply.text
    assert "careful" in reply.text
    assert kernel.run("print(run.output())").text.count("to stdout") == 1


def test_without_a_reader_text_is_under_the_cell_as_well(headless):
    """There is no panel, and the cell waits anyhow."""
    book = headless("%load_ext nbflow\nimport nbflow", TALK.format(place="threads"))
    assert book.error is None
    assert "to stdout" in book.text(1)


def test_a_notebook_without_a_reader_fails(headless):
    """Under nbclient a run that fails fails its cell, with our lines, after its picture."""
    done = headless(
        "%load_ext nbflow",
        "%%activity fetch(x)\ny = x\n1 / y",
        "%%workflow w(x)\nfetch(x)",
        "run = w(0)",
        "print('never')",
    )
    assert done.error is not None
    assert done.error.ename == "ZeroDivisionError"
    assert "Cell In[2], line 3" in done.text(3)
    assert "run.failed[0].reproduce()" in done.text(3)
    assert "image/png" in done.kinds(3)[0]
    assert done.cells[4].outputs == []


def test_async_activities_can_be_debugged_in_the_cells_own_thread(kernel):
    """With ``nested=True`` they run in the caller's thread, and later cells still run."""
    kernel.run("import asyncio, threading, nbflow")
    kernel.run(
        "@nbflow.activity",
        "async def where():",
        "    await asyncio.sleep(0.01)",
        "    return threading.current_thread() is threading.main_thread()",
        "@nbflow.workflow",
        "def w(): return where()",
    )
    assert kernel.run("w.on('inline').start().result()").text == "False"
    assert kernel.run("w.on('inline', nested=True).start().result()").text == "True"
    assert kernel.run("await asyncio.sleep(0.01)", "1 + 1").text == "2"
    assert kernel.run("w.on('threads').start().result()").text == "False"
