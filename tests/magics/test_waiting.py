"""Where nobody is looking, a cell ends when its runs have; elsewhere it never waits."""

from __future__ import annotations

import contextlib
import signal
import threading

import pytest

import nbflow
from nbflow.running import watching


@pytest.fixture
def flow(shell):
    """Define a workflow that ends, and one that fails."""
    shell.cell("%%activity fetch(x)", "1 / x")
    shell.cell("%%workflow w(x)", "fetch(x)")
    return shell


@pytest.fixture
def unattended(monkeypatch):
    """Say that nobody is looking."""
    monkeypatch.setenv("NBFLOW_WAIT", "1")


def test_a_run_is_over_and_shown_when_its_cell_ends(flow, unattended):
    """A cell that starts runs waits for all of them, and shows each once."""
    output = flow.cell("one, two = w(1), w(2)")
    assert flow["one"].status == flow["two"].status == "completed"
    assert output.count("w  ✓ completed") == 2
    assert flow.cell("one = w(1)", "one").count("✓ completed") == 1
    assert "completed" not in flow.cell("1")


def test_a_failed_run_fails_its_cell(flow, unattended):
    """The cell fails with the run's error, after its own code has done all it does."""
    result = flow.ip.run_cell("run = w(0)\nafter = 1", store_history=True)
    assert isinstance(result.error_in_exec, ZeroDivisionError)
    assert not result.success
    assert flow["after"] == 1
    out = flow.capture()[0]
    assert out.index("✗ failed") < out.index("run.resume()")


def test_a_failure_that_code_has_looked_at_does_not_fail_the_cell(flow, unattended):
    """Who asks for the error deals with it."""
    result = flow.ip.run_cell("run = w(0)\nrun.wait()\nerror = run.exception()")
    assert result.success
    result = flow.ip.run_cell("try:\n    w(0).result()\nexcept ZeroDivisionError:\n    pass")
    assert result.success


def test_a_failure_is_shown_once(flow, unattended):
    """An error that the cell itself raises is not raised again at its end."""
    assert flow.cell("w(0).result()").count("ZeroDivisionError: division by zero\n  Cell") == 1


def test_a_resumed_run_is_waited_for_too(flow, unattended):
    """Resuming is starting."""
    flow.cell("run = w(0)")
    flow.cell("%%activity fetch(x)", "x")
    flow.cell("run.resume()")
    assert flow["run"].status == "completed"


def test_no_wait_leaves_the_run_alone(flow, unattended):
    """``--no-wait`` on one run, wherever it is."""
    flow.ip.user_ns["gate"] = gate = threading.Event()
    flow.cell("%%activity hold()", "gate.wait()")
    flow.cell("%%workflow h() --run --no-wait -o run", "hold();")
    assert flow["run"].status == "running"
    gate.set()
    flow["run"].wait()


def test_a_terminal_never_waits(flow):
    """Without a kernel somebody is looking."""
    flow.ip.user_ns["gate"] = gate = threading.Event()
    flow.cell("%%activity hold()", "gate.wait()")
    flow.cell("%%workflow h()", "hold()")
    flow.cell("run = h()")
    assert flow["run"].status == "running"
    gate.set()
    flow["run"].wait()


def test_nothing_is_followed_once_unloaded(flow, unattended):
    """After unloading, cells and errors are as they were before."""
    flow.ip.extension_manager.unload_extension("nbflow")
    assert nbflow.running.watching.watchers == []
    result = flow.ip.run_cell("run = w(0)\nrun.wait()")
    assert result.success
    assert not hasattr(flow["run"].exception(), "_render_traceback_")


@pytest.fixture
def interrupts(monkeypatch):
    """Press ■ as soon as somebody waits for a run."""

    @contextlib.contextmanager
    def press():
        yield lambda: signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(watching, "meanwhile", [press])


@pytest.fixture
def held():
    """Give a workflow that holds until a gate opens, and the gate."""
    gate = threading.Event()

    @nbflow.activity
    def hold():
        gate.wait()

    @nbflow.workflow
    def w():
        return hold()

    yield w, gate
    gate.set()


@pytest.mark.case("U28")
def test_an_interrupt_stops_the_waiting_and_not_the_run(held, interrupts):
    """Each interrupt does; the exception says that the run goes on and how to cancel."""
    workflow, gate = held
    run = workflow()
    for wait in (run.wait, run.result):
        with pytest.raises(KeyboardInterrupt) as caught:
            wait()
        (note,) = caught.value.__notes__
        assert note.startswith(f"stopped waiting; run {run.id} goes on")
        assert "run.cancel()" in note
        assert run.status == "running"
    gate.set()
    watching.meanwhile.clear()
    assert run.wait()
    assert run.status == "completed"


def test_a_notebook_tells_an_interrupt_on_one_line(shell, held, interrupts):
    """The cell fails with that line in the place of a traceback."""
    shell.ip.user_ns["run"] = run = held[0]()
    lines = shell.cell("run.result()").splitlines()
    assert lines == [f"KeyboardInterrupt: {watching.goes_on(run)}"]


def test_interrupting_a_run_that_nobody_has_a_handle_of_cancels_it(held, interrupts):
    """``nbflow.run`` gives no handle before the end, so there would be no other way to stop it."""
    with pytest.raises(KeyboardInterrupt, match=r"run w-\w+ is cancelled") as caught:
        nbflow.run(held[0])
    assert not hasattr(caught.value, "__notes__")
    watching.meanwhile.clear()
    run = nbflow.attach(str(caught.value).split()[1])
    run.wait()
    assert run.status == "cancelled"
