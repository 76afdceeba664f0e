from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import comm
import nbformat
import pytest
from nbclient import NotebookClient

import nbflow
from nbflow.core.errors import RunError
from nbflow.running import session as _session
from nbflow.running.acting import RunActions
from nbflow.running.run import Run
from nbflow.store.lease import new_lease
from nbflow.store.sqlite import SqliteStore
from nbflow.viz.details import About
from nbflow.viz.live import Follower
from nbflow.viz.panel import WIDGET, Panel
from nbflow.viz.show import describe, show
from nbflow.viz.standing import STATES
from tests.viz.page import Page
from tests.viz.runlog import revenue, simulate
from tests.viz.test_live import RUN, stored

HERE = Path(__file__).parent
STATIC = HERE.parent.parent / "nbflow" / "viz" / "static"
SECONDS = 10


# ------------------------------------------------------------------ the widget


class Comm(comm.base_comm.BaseComm):
    """A line to a browser that is not there: keeps what is sent."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.sent: list[dict[str, Any]] = []
        super().__init__(*args, **kwargs)

    def publish_msg(self, msg_type: str, data: Any = None, *_: Any, **more: Any) -> None:
        buffers = more.get("buffers") or []
        self.sent.append({"type": msg_type, "buffers": buffers, **(data or {})})


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


def sent(panel: Panel) -> list[dict[str, Any]]:
    """Give the messages that went to the browser's half."""
    return [m["content"] for m in panel.comm.sent if m.get("method") == "custom"]


def answers(panel: Panel) -> list[dict[str, Any]]:
    """Give the answers to actions."""
    return [message for message in sent(panel) if message["kind"] == "done"]


def eventually(there: Callable[[], Any]) -> Any:
    """Wait until something is there, and give it."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        found = there()
        if found:
            return found
        threading.Event().wait(0.01)
    raise AssertionError("it did not come")


def test_whole_states_are_model_state_and_differences_are_messages(line):
    """A page that is loaded anew finds the latest whole state in the model; the rest is sent."""
    events = simulate(revenue(3))
    panel, store = Panel(), stored(events[:1])
    follower = Follower(store, RUN, sink=panel)
    follower.step(1000.0)
    assert panel.state["head"]["status"] == "running"
    store.append(RUN, events[1:-1])
    follower.step(1000.1)
    (delta,) = sent(panel)
    assert (delta["kind"], delta["seq"], delta["base"]) == ("delta", 2, 1)
    (buffers,) = [m["buffers"] for m in panel.comm.sent if m.get("method") == "custom"]
    assert sum(len(block["columns"]) for block in delta["blocks"]) == len(buffers) == 14
    store.append(RUN, events[-1:])
    assert follower.step(1000.2)
    assert panel.get_state()["state"]["head"]["status"] == "completed"


def test_what_the_browser_says_reaches_the_follower(line):
    """Questions of the browser's half are answered, also after the run."""
    panel = Panel()
    follower = Follower(stored(simulate(revenue(1))), RUN, sink=panel)
    panel.on_message = follower.hear
    follower.start()
    assert follower.finished.wait(SECONDS)
    before = panel.state["seq"]
    hear(panel, {"kind": "ask"})
    assert follower.finished.wait(SECONDS)
    assert panel.state["seq"] == before + 1
    hear(panel, {"kind": "detail", "call": 1})
    assert follower.finished.wait(SECONDS)
    assert sent(panel)[-1]["id"] == "convert-1"


def test_what_the_panel_knows_of_statuses_and_colours(line):
    """The browser is told the order of statuses that the rows number them by."""
    look = Panel().look
    assert look["statuses"] == list(STATES)
    assert set(STATES) <= set(look["colors"])


# ------------------------------------------------------------------ what people do from it


class Acts:
    """Actions that note who carried them out, and fail where they are told to."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.done: list[tuple[str, ...]] = []
        self.threads: list[threading.Thread] = []
        self.error = error
        self.gate = threading.Event()
        self.gate.set()

    def possible(self, status: str) -> list[str]:
        return ["cancel", "cancel_call"] if status == "running" else ["retry"]

    def _do(self, *deed: str) -> None:
        self.threads.append(threading.current_thread())
        self.gate.wait(SECONDS)
        self.done.append(deed)
        if self.error is not None:
            raise self.error

    def cancel(self) -> None:
        self._do("cancel")

    def cancel_call(self, call: str) -> None:
        self._do("cancel_call", call)

    def retry(self) -> None:
        self._do("retry")

    def resume(self) -> None:
        self._do("resume")


def acting(acts: Acts | None, events: list[Any]) -> tuple[Panel, Follower]:
    panel = Panel()
    follower = Follower(stored(events), RUN, sink=panel, actions=acts)
    panel.on_message = follower.hear
    follower.step(1000.0)
    follower.step(1000.1)
    return panel, follower


@pytest.mark.parametrize(
    ("message", "deed"),
    [
        ({"kind": "cancel"}, ("cancel",)),
        ({"kind": "cancel_call", "call": 2}, ("cancel_call", "fetch-2")),
        ({"kind": "retry"}, ("retry",)),
        ({"kind": "resume"}, ("resume",)),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_an_action_is_carried_out_in_a_thread_of_its_own(line, message, deed):
    """A click acts on the run from a thread of its own, and is answered when that is done."""
    acts = Acts()
    panel, follower = acting(acts, simulate(revenue(2))[:4])
    hear(panel, message)
    eventually(lambda: acts.done)
    answer = eventually(
        lambda: follower.step(1001.0) or [m for m in sent(panel) if m["kind"] == "done"]
    )
    assert acts.done == [deed]
    assert acts.threads != [threading.current_thread()]
    assert answer == [{"kind": "done", "action": message["kind"], "ok": True}]


def test_what_can_be_done_follows_the_run(line):
    """The buttons are those of what can be done as the run stands."""
    events = simulate(revenue(2))
    acts = Acts()
    panel = Panel()
    store = stored(events[:4])
    follower = Follower(store, RUN, sink=panel, actions=acts)
    for i in range(3):
        follower.step(1000 + i / 10)
    assert panel.actions == ["cancel", "cancel_call"]
    store.append(RUN, events[4:])
    for i in range(3):
        follower.step(1001 + i / 10)
    assert panel.actions == ["retry"]


def test_an_action_that_fails_tells_why(line, caplog):
    """An error goes to the panel as a note, not into anybody's cell, and then the answer."""
    panel, follower = acting(Acts(RunError("driven by another process")), simulate(revenue(2))[:4])
    hear(panel, {"kind": "cancel"})
    eventually(lambda: follower.step(1001.0) or len(sent(panel)) >= 2)
    note, done = sent(panel)[-2:]
    assert note == {
        "kind": "note",
        "action": "cancel",
        "text": "not cancelled: driven by another process",
    }
    assert done == {"kind": "done", "action": "cancel", "ok": False}


def test_what_an_action_says_is_shown_after_it_is_done(line):
    """Where a run goes on as another one, its panel says so, and the button is free again."""
    acts = Acts()
    acts.retry = lambda: "It goes on as run two."  # type: ignore[assignment, method-assign]
    panel, follower = acting(acts, simulate(revenue(2))[:4])
    hear(panel, {"kind": "retry"})
    eventually(lambda: follower.step(1001.0) or len(sent(panel)) >= 2)
    done, note = sent(panel)[-2:]
    assert done == {"kind": "done", "action": "retry", "ok": True}
    assert note == {"kind": "note", "action": "retry", "text": "It goes on as run two."}


def test_nothing_can_be_done_to_a_run_of_somebody_else(line):
    """Without actions there are no buttons, and a click all the same is answered with a note."""
    panel, follower = acting(None, simulate(revenue(2))[:4])
    assert panel.actions == []
    hear(panel, {"kind": "resume"})
    eventually(lambda: follower.step(1001.0) or len(sent(panel)) >= 2)
    assert sent(panel)[-2]["text"] == "not resumed: this run is not driven from here"


def test_a_second_click_while_the_first_is_carried_out_does_nothing(line):
    """Two clicks on one button act once; the button works again afterwards."""
    acts = Acts()
    acts.gate.clear()
    panel, follower = acting(acts, simulate(revenue(2))[:4])
    for _ in range(3):
        hear(panel, {"kind": "retry"})
    acts.gate.set()
    eventually(lambda: follower.step(1001.0) or answers(panel))
    assert acts.done == [("retry",)]
    hear(panel, {"kind": "retry"})
    eventually(lambda: len(acts.done) == 2)


# ------------------------------------------------------------------ real runs


def shown(run: Any) -> tuple[Page, Follower]:
    """Follow a run as its panel does."""
    page, acts = Page(), RunActions(run, run._store)
    follower = Follower(
        run._store, run.id, sink=page, actions=acts, halted=acts.halted, about=acts.about
    )
    page.follower = follower
    follower.start()
    return page, follower


def status(page: Page) -> Any:
    return page.state.get("head", {}).get("status")


broken = threading.Event()
waiting = threading.Event()


@pytest.fixture(autouse=True)
def _mended() -> None:
    """Have each test begin with activities that work, and wait where they may."""
    broken.clear()
    waiting.clear()


@nbflow.activity
def shaky(x: int) -> int:
    """Fail while it is broken."""
    if broken.is_set() and x == 1:
        raise ValueError("it is broken")
    return x


@nbflow.activity
def held(x: int) -> int:
    """Wait to be let go."""
    waiting.wait(SECONDS)
    return x


@nbflow.workflow
def shakies() -> list[Any]:
    return [shaky(i) for i in range(3)]


@nbflow.workflow
def helds() -> list[Any]:
    return [held(i) for i in range(3)]


def test_a_failed_run_is_tried_again_in_its_panel():
    """Retry runs the failed calls again; the same panel goes live again and shows the end."""
    broken.set()
    run = nbflow.start(shakies)
    page, follower = shown(run)
    eventually(lambda: status(page) == "failed" and page.actions and page.actions[-1] == ["retry"])
    assert follower.finished.wait(SECONDS)
    assert page.state["head"]["trace"][-1] == "ValueError: it is broken"
    broken.clear()
    follower.hear({"kind": "retry"})
    eventually(lambda: status(page) == "completed")
    eventually(lambda: page.of("done"))
    assert page.of("done") == [{"kind": "done", "action": "retry", "ok": True}]
    assert follower.finished.wait(SECONDS)
    assert page.state["head"]["counts"] == {"done": 3}
    assert page.actions[-1] == []
    assert run.result() == [0, 1, 2]
    follower.hear({"kind": "detail", "call": 1})
    found = eventually(lambda: page.of("detail"))[0]
    assert found["args"] == [["x", "1"]]
    assert [attempt["status"] for attempt in found["attempts"]] == ["failed", "done"]
    assert "raise ValueError" in found["source"]
    follower.stop()


@nbflow.workflow
def shakies_later() -> list[Any]:
    return [held(0), shaky(1)]


def test_a_run_that_is_let_go_of_late_can_be_tried_again_all_the_same():
    """Its panel may read of the end before the run's driver is through; Retry comes after that."""
    broken.set()
    waiting.clear()
    run, through = nbflow.start(shakies_later), threading.Event()
    session = _session.known(run.id, run._store)
    assert session is not None
    session.live.on_over.insert(0, lambda: through.wait(SECONDS))
    page, follower = shown(run)
    waiting.set()
    eventually(lambda: status(page) == "failed")
    assert follower.finished.wait(SECONDS)
    assert not session.done.done()
    assert page.actions[-1] == []
    through.set()
    eventually(lambda: page.actions[-1] == ["retry"])
    follower.stop()


def test_a_run_that_is_resumed_in_a_cell_goes_on_in_its_panel():
    """`run.resume()` makes a panel live that had come to its end."""
    broken.set()
    run = nbflow.start(shakies)
    page, follower = shown(run)
    eventually(lambda: status(page) == "failed")
    assert follower.finished.wait(SECONDS)
    broken.clear()
    run.resume()
    eventually(lambda: status(page) == "completed")
    follower.stop()


def test_a_run_and_one_call_are_cancelled_in_the_panel():
    """Cancelling one call leaves the others; cancelling the run gives up what is open."""
    waiting.clear()
    run = nbflow.start(helds)
    page, follower = shown(run)
    eventually(lambda: page.state.get("tables", {}).get("calls") == 3)
    follower.hear({"kind": "cancel_call", "call": 2})
    eventually(lambda: page.state["head"]["counts"].get("cancelled") == 1)
    assert run.calls["held-3"].status == "cancelled"
    eventually(lambda: page.actions and "cancel" in page.actions[-1])
    follower.hear({"kind": "cancel"})
    waiting.set()
    eventually(lambda: status(page) in {"cancelled", "failed"})
    eventually(lambda: page.actions[-1] in (["resume"], ["retry"]))
    follower.stop()


def test_a_completed_run_says_why_it_cannot_be_resumed():
    """A click that comes too late is answered with the reason."""
    run = nbflow.start(shakies)
    page, follower = shown(run)
    eventually(lambda: status(page) == "completed")
    follower.hear({"kind": "retry"})
    (note,) = eventually(lambda: page.of("note"))
    assert note["text"].startswith(f"not tried again: run {run.id} has completed")
    assert not eventually(lambda: page.of("done"))[0]["ok"]
    follower.stop()


def test_what_can_be_done_to_a_run_depends_on_who_drives_it(monkeypatch):
    """A run of another process can be cancelled; one that nobody drives can be resumed."""
    store = stored(simulate(revenue(1))[:4])
    acts = RunActions(Run(RUN, store), store)
    assert acts.possible("running") == ()  # it may just have ended
    assert acts.possible("running") == ("resume",)
    store.hold(RUN, replace(new_lease(), pid=os.getppid(), born=0))
    assert acts.possible("running") == ("cancel", "cancel_call")
    with monkeypatch.context() as patched:
        patched.setattr(store, "mail", None)
        assert acts.possible("running") == ()  # a store of others that keeps no letters
    assert acts.possible("completed") == ()
    assert acts.possible("failed") == ("retry",)
    assert acts.possible("cancelled") == ("resume",)
    assert acts.about("fetch-1") == About()
    acts.cancel_call("fetch-1")  # asks the process that drives it
    acts.cancel()
    assert len(store.mail.letters(RUN)) == 2


OTHER = """
import sys, time
import nbflow
nbflow.configure(store=sys.argv[1], on="threads")

@nbflow.activity
def held(path):
    while True:
        time.sleep(0.05)

@nbflow.workflow
def helds():
    return [held(i) for i in range(3)]

run = nbflow.start(helds)
print(run.id, flush=True)
run.wait()
print(run.status, flush=True)
"""


def test_a_run_of_another_process_is_cancelled_in_its_panel(tmp_path):
    """Its panel cancels a call, then the run; that process does it, and the panel shows it."""
    script, place = tmp_path / "other.py", tmp_path / "runs"
    script.write_text(OTHER)
    command = [sys.executable, str(script), str(place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout is not None
            store = SqliteStore(place)
            run: Run[Any] = Run(other.stdout.readline().strip(), store)
            page, follower = shown(run)
            eventually(lambda: page.actions and page.actions[-1] == ["cancel", "cancel_call"])
            eventually(lambda: page.state.get("tables", {}).get("calls") == 3)
            follower.hear({"kind": "cancel_call", "call": 1})
            eventually(lambda: page.state["head"]["counts"].get("cancelled") == 1)
            assert [call.status == "cancelled" for call in run.calls.values()] == [0, 1, 0]
            follower.hear({"kind": "cancel"})
            eventually(lambda: status(page) == "cancelled")
            assert [done["action"] for done in page.of("done")] == ["cancel_call", "cancel"]
            assert all(done["ok"] for done in page.of("done"))
            assert page.of("note") == []
            assert other.stdout.readline().strip() == "cancelled"
        finally:
            other.kill()
    follower.stop()
    store.close()


def test_a_settled_call_stays_as_it_is_when_cancelled():
    """`cancel` of a call that has ended does nothing, also where nobody drives the run."""
    run = nbflow.start(shakies)
    run.wait()
    run.calls["shaky-1"].cancel()
    assert run.calls["shaky-1"].status == "done"


# ------------------------------------------------------------------ how it is sent and shown


def test_clicks_reach_python_while_a_cell_runs(monkeypatch):
    """With ipykernel 7.4 the panel's messages do not queue behind the cell that runs."""
    monkeypatch.setattr(comm, "create_comm", RoutedComm)
    assert Panel().comm._reply_subshell_for is None


@pytest.mark.case("W8")
def test_nothing_of_a_run_is_in_the_text_of_the_widget(line):
    """Where widgets are not shown the panel leaves no text behind: the picture says it all."""
    bundle = Panel().bundle()
    assert bundle["text/plain"] == ""
    assert set(bundle) == {WIDGET, "text/plain"}


def test_what_is_sent_to_the_browser_is_small():
    """The script is below 120 kB, needs nothing from the net, and makes no markup from text."""
    script = (STATIC / "panel.js").read_text(encoding="utf-8")
    assert len(script.encode()) < 120_000
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
@pytest.mark.case("W2")
def test_a_file_that_nobody_watched_has_the_final_picture():
    """Executed with nobody looking, the cell waits for the run, and its picture is in the file."""
    found = executed(DEFINED, "run = doubled(3)\nrun", "print(run.status)\nrun")
    (shown,) = found.cells[1].outputs
    assert set(shown.data) == {"image/png", "image/svg+xml", "text/plain"}
    assert "completed" in shown.data["text/plain"]
    assert found.cells[2].outputs[0].text == "completed\n"
    assert "completed" in found.cells[2].outputs[1].data["text/plain"]


@unclosed
@pytest.mark.case("W3")
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
