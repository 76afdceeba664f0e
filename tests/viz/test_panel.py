from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

import comm
import nbformat
import pytest
from nbclient import NotebookClient

from nbflow.viz.lanes import ticks
from nbflow.viz.live import Follower
from nbflow.viz.panel import LOOK, WIDGET, Panel
from nbflow.viz.show import describe, show
from nbflow.viz.wording import duration
from tests.viz.runlog import RunLog, hostile, revenue, simulate
from tests.viz.test_live import RUN, Collected, seen, stored

HERE = Path(__file__).parent
STATIC = HERE.parent.parent / "nbflow" / "viz" / "static"
NODE = shutil.which("node")
SECONDS = 10


# ------------------------------------------------------------------ the widget


class Comm(comm.base_comm.BaseComm):
    """A line to a browser that is not there: keeps what is sent."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.sent: list[dict[str, Any]] = []
        super().__init__(*args, **kwargs)

    def publish_msg(self, msg_type: str, data: Any = None, *_: Any, **__: Any) -> None:
        self.sent.append({"type": msg_type, **(data or {})})


class RoutedComm(Comm):
    """One as in ipykernel 7.4, which answers where it last sent from."""

    def _reply_subshell_for(self, *_: Any) -> str:
        return "the thread that the cell holds up"


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have widgets speak over a `Comm`."""
    monkeypatch.setattr(comm, "create_comm", Comm)


def hear(panel: Panel, content: object) -> None:
    """Deliver what the browser's half sends."""
    panel._handle_msg(
        {"content": {"data": {"method": "custom", "content": content}}, "buffers": []}
    )


def test_whole_states_are_model_state_and_differences_are_messages(line):
    """A page that is loaded anew finds the latest whole state in the model; the rest is sent."""
    events = simulate(revenue(3))
    panel, store = Panel(), stored(events[:1])
    follower = Follower(store, RUN, sink=panel)
    follower.step(1000.0)
    assert panel.state["head"]["status"] == "running"
    store.append(RUN, events[1:-1])
    follower.step(1000.1)
    (delta,) = [m["content"] for m in panel.comm.sent if m.get("method") == "custom"]
    assert (delta["kind"], delta["seq"], delta["base"]) == ("delta", 2, 1)
    store.append(RUN, events[-1:])
    assert follower.step(1000.2)
    assert panel.get_state()["state"]["head"]["status"] == "completed"


def test_a_page_that_asks_is_sent_the_whole_state(line):
    """What the browser's half asks for reaches the follower, also after the run."""
    panel = Panel()
    follower = Follower(stored(simulate(revenue(1))), RUN, sink=panel)
    panel.on_ask = follower.ask
    follower.start()
    assert follower.finished.wait(SECONDS)
    before = panel.state["seq"]
    hear(panel, {"kind": "ask"})
    assert panel.state["seq"] == before + 1


def test_cancel_calls_what_it_was_given(line):
    """The button's message cancels, from a thread of its own: the one it comes in may be busy."""
    cancelled = threading.Event()
    threads: list[threading.Thread] = []

    def cancel() -> None:
        threads.append(threading.current_thread())
        cancelled.set()

    panel = Panel(cancel)
    assert panel.cancellable
    hear(panel, {"kind": "cancel"})
    assert cancelled.wait(SECONDS)
    assert threads != [threading.current_thread()]


def test_a_cancel_that_fails_is_told_in_the_panel(line):
    """An error while cancelling goes to the panel, not into anybody's cell."""

    def cancel() -> None:
        raise RuntimeError("driven by another process")

    panel = Panel(cancel)
    sent = threading.Event()

    def publish(kind: str, data: Any = None, **_: Any) -> None:
        panel.comm.sent.append(data)
        sent.set()

    panel.comm.publish_msg = publish
    hear(panel, {"kind": "cancel"})
    assert sent.wait(SECONDS)
    assert panel.comm.sent[-1]["content"]["text"] == "not cancelled: driven by another process"


@pytest.mark.parametrize("content", [None, "cancel", {}, {"kind": 3}, {"kind": "cancel"}])
def test_messages_that_mean_nothing_are_passed_over(line, content):
    """A page may send anything; without a way to cancel, cancel means nothing either."""
    panel = Panel()
    before = panel.get_state()
    hear(panel, content)
    assert panel.get_state() == before


def test_clicks_reach_python_while_a_cell_runs(monkeypatch):
    """With ipykernel 7.4 the panel's messages do not queue behind the cell that runs."""
    monkeypatch.setattr(comm, "create_comm", RoutedComm)
    assert Panel().comm._reply_subshell_for is None


def test_nothing_of_a_run_is_in_the_text_of_the_widget(line):
    """Where widgets are not shown the panel leaves no text behind: the picture says it all."""
    bundle = Panel().bundle()
    assert bundle["text/plain"] == ""
    assert set(bundle) == {WIDGET, "text/plain"}


def test_what_is_sent_to_the_browser_is_small():
    """The script is below 25 kB, needs nothing from the net, and makes no markup from text."""
    script = (STATIC / "panel.js").read_text(encoding="utf-8")
    assert len(script.encode()) < 25_000
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "eval(",
        "import(",
        "http://",
        "https://",
    ):
        assert word not in script.replace('"http://www.w3.org/2000/svg"', "")
    style = (STATIC / "panel.css").read_text(encoding="utf-8")
    assert "url(" not in style
    assert "@import" not in style


# ------------------------------------------------------------------ the browser's half, in node


def told(events: list[Any]) -> dict[str, Any]:
    """Give what the panel is told of a run in small steps, and the whole it should amount to."""
    sink, store = Collected(), stored(events[:1])
    follower = Follower(store, RUN, sink=sink)
    for i in range(1, len(events)):
        follower.step(1000 + i / 10)
        store.append(RUN, events[i : i + 1])
    follower.step(3000.0)
    return {"messages": sink.messages, "whole": seen(sink.state)}


def proto() -> list[Any]:
    log = RunLog("__proto__")
    for i in range(1, 302):
        log.asked(f"__proto__-{i}", activity="__proto__")
    log.closed(1.0)
    return log.events


def joined() -> list[Any]:
    log = RunLog("joined")
    for name in ("a-1", "a-2"):
        log.asked(name)
    log.asked("b-1", turn=1, after=("a-1", "a-2"))
    return log.events


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_the_browsers_half_in_node(tmp_path, monkeypatch):
    """The script draws what Python tells, asks when it missed something, and claims nothing."""
    many = [*((f"fetch-{i}", ()) for i in range(1, 1700)), ("total-1", ("fetch-1",))]
    seconds = [0.0, 0.004, 0.0123, 0.9994, 0.9996, 1.337, 9.996, 59.94, 59.96, 75.0, 3599.7, 3700.0]
    spans = [(1.3, 4), (0.0004, 5), (7.7, 9), (100.0, 6), (4000.0, 8), (0.05, 9), (90_000.0, 5)]
    cases = {
        "look": LOOK,
        "runs": [
            told(simulate(revenue(5))),
            told(simulate(revenue(4), failing={"convert-2"})),
            told(joined()),
            {"messages": [("full", whole_of(many))], "whole": seen(whole_of(many))},
        ],
        "hostile": told(hostile()),
        "proto": told(proto()[:1] + proto()[1:]),
        "durations": [(s, duration(s)) for s in seconds],
        "ticks": [
            (length, most, [word for _, word in ticks(length, most)]) for length, most in spans
        ],
    }
    path = tmp_path / "cases.json"
    path.write_text(json.dumps(cases), encoding="utf-8")
    assert NODE is not None
    done = subprocess.run(
        [NODE, "--test", str(HERE / "panel.test.mjs")],
        env={**os.environ, "PANEL_CASES": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def whole_of(calls: Any) -> dict[str, Any]:
    sink = Collected()
    Follower(stored(simulate(calls)), RUN, sink=sink).step(1000.0)
    return sink.state


# ------------------------------------------------------------------ where it is shown

DEFINED = """
import nbflow, time
nbflow.configure(store=":memory:", max_workers=4)
@nbflow.activity
def double(x):
    time.sleep(0.2)
    return 2 * x
@nbflow.workflow
def doubled(n):
    return [double(i) for i in range(n)]
"""


FOLLOWED = """
import threading
for thread in threading.enumerate():
    if thread.name.startswith("nbflow panel"):
        thread.join()
"""


def executed(*cells: str, **env: str) -> Any:
    """Execute a notebook without anybody looking, as papermill and nbconvert do."""
    with pytest.MonkeyPatch.context() as patch:
        for key, value in env.items():
            patch.setenv(key, value)
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
        NotebookClient(made, timeout=60, kernel_name="python3").execute()
    return made


unclosed = pytest.mark.filterwarnings("ignore:unclosed event loop:ResourceWarning")


@unclosed
def test_a_file_that_nobody_watched_has_the_final_picture():
    """Executed with nobody looking, the cell waits for the run, and its picture is in the file."""
    found = executed(DEFINED, "run = doubled(3)\nrun", "print(run.status)\nrun")
    (shown,) = found.cells[1].outputs
    assert set(shown.data) == {"image/png", "image/svg+xml", "text/plain"}
    assert "completed" in shown.data["text/plain"]
    assert found.cells[2].outputs[0].text == "completed\n"
    assert "completed" in found.cells[2].outputs[1].data["text/plain"]


@unclosed
def test_without_widgets_there_is_a_picture():
    """Where anywidget is missing the run is shown as a picture, and nothing fails."""
    hide = "import sys\nsys.modules['anywidget'] = None\ndisplay(doubled(2))"
    found = executed(DEFINED, hide + FOLLOWED, NBFLOW_WAIT="0")
    (shown,) = found.cells[1].outputs
    assert set(shown.data) == {"image/png", "image/svg+xml", "text/plain"}


@unclosed
def test_a_live_panel_leaves_a_picture_beside_it():
    """In a live kernel there are a style sheet, the panel and a picture, which ends up final."""
    found = executed(DEFINED, "display(doubled(2))" + FOLLOWED, NBFLOW_WAIT="0")
    style, panel, still = found.cells[1].outputs
    assert style.data["text/html"].startswith("<style")
    assert WIDGET in panel.data
    assert set(still.data) == {"image/png", "image/svg+xml", "text/plain"}
    assert "completed" in still.data["text/plain"]


@unclosed
def test_a_picture_that_cannot_be_drawn_leaves_the_text():
    """Where drawing fails the file says in words how the run ended, not that it is running."""
    broken = "import sys\nsys.modules['matplotlib'] = None\nrun = doubled(2)\nrun"
    found = executed(DEFINED, broken)
    shown = next(o for o in found.cells[1].outputs if o.output_type == "display_data")
    assert set(shown.data) == {"text/plain"}
    assert "completed" in shown.data["text/plain"]


def test_where_there_is_no_kernel_a_run_is_text(capsys):
    """In a script or a terminal a run is shown as text."""
    store = stored(simulate(revenue(2)))
    show(store, RUN)
    assert capsys.readouterr().out == describe(store, RUN) + "\n"
    assert "fetch-1" in describe(store, RUN)
