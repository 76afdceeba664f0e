"""In real kernels of several versions: clicks while a cell holds up the kernel, and ■."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from tests import kernels
from tests.magics import test_kernel
from tests.magics.conftest import Kernel, _environment, plain

pytestmark = [pytest.mark.kernels, pytest.mark.slow, pytest.mark.timeout(300)]

WIDGET = "application/vnd.jupyter.widget-view+json"
SETUP = """
import os, time
from pathlib import Path
import nbflow
nbflow.configure(on="processes", store=":memory:", max_workers=2)

def until(name):
    while not Path(name).exists():
        time.sleep(0.01)

@nbflow.activity
def hold(name):
    Path(f"{name}.pid").write_text(str(os.getpid()))
    Path(f"{name}.pid").rename(f"{name}.began")
    until(name)
    return name

@nbflow.workflow
def holding(name):
    return hold(name)
"""
WAIT = """
try:
    print("waiting", flush=True)
    run.result()
except nbflow.RunCancelled:
    print(f"{run.status} {time.monotonic()}")
"""


class Front:
    """What a front end does with a kernel."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient, home: Path) -> None:
        self.manager, self.client, self.home = manager, client, home
        self.heard: list[dict[str, Any]] = []
        self.replies: list[dict[str, Any]] = []

    def start(self, code: str) -> str:
        """Send a cell, and do not wait for it."""
        message: str = self.client.execute(code, allow_stdin=True)
        return message

    def ends(self, message: str) -> dict[str, Any]:
        """Give the reply to a request."""
        found = self.until(lambda: self._replies(message))[0]
        self.until(lambda: self._of(message, "status", "idle"))
        return dict(found["content"])

    def run(self, code: str) -> str:
        """Run a cell to its end, which is to be a good one, and give its output."""
        message = self.start(code)
        assert self.ends(message)["status"] == "ok", self.text(message)
        return self.text(message)

    def text(self, message: str) -> str:
        """Give what a cell printed, or its error."""
        found = [m["content"] for m in self.heard if m["parent_header"].get("msg_id") == message]
        parts = [c.get("text", "") or "\n".join(c.get("traceback", ())) for c in found]
        return plain("".join(parts))

    def panel(self, message: str) -> str:
        """Give the comm of the panel that a cell displays."""
        found = self.until(
            lambda: [
                m["content"]["data"][WIDGET]["model_id"]
                for m in self.heard
                if m["parent_header"].get("msg_id") == message
                and WIDGET in m["content"].get("data", {})
            ]
        )
        return str(found[0])

    def subshell(self) -> str:
        """Have the kernel make a subshell, as JupyterLab does for comms."""
        message = self.client.session.msg("create_subshell_request", {})
        self.client.control_channel.send(message)
        return str(self.client.get_control_msg(timeout=10)["content"]["subshell_id"])

    def click(self, comm: str, subshell: str = "", kind: str = "cancel") -> None:
        """Send what the panel sends when somebody clicks on Cancel."""
        data = {"method": "custom", "content": {"kind": kind}}
        message = self.client.session.msg("comm_msg", {"comm_id": comm, "data": data})
        if subshell:
            message["header"]["subshell_id"] = subshell
        self.client.shell_channel.send(message)

    def until(self, what: Callable[[], Any], seconds: float = 20) -> Any:
        """Listen until there is something; give it."""
        end = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < end, [m["content"] for m in self.heard[-10:]]
            self._listen()
        return found

    def _listen(self) -> None:
        for channel, into in (
            (self.client.iopub_channel, self.heard),
            (self.client.shell_channel, self.replies),
        ):
            while channel.msg_ready():
                into.append(channel.get_msg(timeout=1))
        self.client.iopub_channel.socket.poll(10)

    def _replies(self, message: str) -> list[dict[str, Any]]:
        return [m for m in self.replies if m["parent_header"].get("msg_id") == message]

    def _of(self, message: str, kind: str, state: str) -> bool:
        return any(
            m["header"]["msg_type"] == kind and m["content"].get("execution_state") == state
            for m in self.heard
            if m["parent_header"].get("msg_id") == message
        )

    # ------------------------------------------------------------ the workflow above

    def hold(self, name: str) -> tuple[str, int]:
        """Start a run that holds until a file is there; give its panel and its worker."""
        comm = self.panel(self.start(f"run = holding({name!r})\nrun"))
        self.until((self.home / f"{name}.began").exists)
        return comm, int((self.home / f"{name}.began").read_text())

    def waits(self, code: str = WAIT) -> str:
        """Send a cell that waits for the run, and give it when it does."""
        message = self.start(code)
        self.until(lambda: "waiting\n" in self.text(message))
        return message

    def release(self, name: str) -> None:
        """Let the run, or a cell, go on."""
        (self.home / name).touch()

    def gone(self, pid: int, seconds: float = 2) -> None:
        """Wait until a process is gone."""
        self.until(lambda: not Path(f"/proc/{pid}").exists(), seconds)


@pytest.fixture(scope="module", params=kernels.VERSIONS)
def session_front(request, tmp_path_factory) -> Iterator[Front]:
    home = tmp_path_factory.mktemp("kernel")
    name = kernels.specify(request.param, home / "data")
    specs = KernelSpecManager(kernel_dirs=[str(home / "data" / "kernels")])
    manager = KernelManager(kernel_name=name, kernel_spec_manager=specs)
    manager.start_kernel(env=_environment(home), cwd=str(home))
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    made = Front(manager, client, home)
    assert made.run("import ipykernel; print(ipykernel.__version__)") == f"{request.param}\n"
    yield made
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture
def front(session_front: Front) -> Front:
    """Give a kernel in which a workflow is defined."""
    session_front.run("%reset -f")
    session_front.run("%reload_ext nbflow")
    session_front.run(SETUP)
    return session_front


def way_of(front: Front, way: str) -> str:
    """Give the subshell that comm messages take, "" for the main shell."""
    if way == "main":
        return ""
    if front.run("import ipykernel; print(ipykernel.version_info[0])") == "6\n":
        pytest.skip("ipykernel 6 has no subshells")
    return front.subshell()


def fresh(front: Front) -> str:
    return f"gate-{front.client.session.msg_id}"


@pytest.mark.parametrize("way", ["main", "subshell"])
def test_a_click_is_heard_while_a_cell_waits_for_the_run(front, way):
    """Cancel ends the run and its processes within 2 s; what came meanwhile follows in order."""
    name, subshell = fresh(front), way_of(front, way)
    comm, worker = front.hold(name)
    waiting = front.waits()
    later = [front.start(f"print('later', {n})") for n in range(3)]
    completion = front.client.complete("nbfl", 4)
    last = front.start("print('last')")
    clicked = time.monotonic()
    front.click(comm, subshell)
    assert front.ends(waiting)["status"] == "ok"
    status, ended = front.text(waiting).split()[1:]
    assert status == "cancelled"
    assert float(ended) - clicked < 2
    front.gone(worker)
    counts = [front.ends(message)["execution_count"] for message in (waiting, *later, last)]
    assert counts == list(range(counts[0], counts[0] + 5))
    assert [front.text(m) for m in later] == [f"later {n}\n" for n in range(3)]
    assert "nbflow" in front.ends(completion)["matches"]
    order = [m["parent_header"]["msg_id"] for m in front.replies]
    wanted = [waiting, *later, completion, last]
    assert [m for m in order if m in wanted] == wanted


def test_cells_that_come_late_do_not_overtake(front):
    """Cells sent while the waiting cell goes on after the run run after those sent before."""
    name = fresh(front)
    comm, _ = front.hold(name)
    waiting = front.start(f"seen = []\n{WAIT}\nuntil('{name}-go')\nseen.append('waiting')")
    sent = [front.start(f"seen.append({n})") for n in range(3)]
    front.until(lambda: "waiting\n" in front.text(waiting))
    sent += [front.start(f"seen.append({n})") for n in range(3, 6)]
    front.click(comm)
    front.until(lambda: "cancelled" in front.text(waiting))
    sent += [front.start(f"seen.append({n})") for n in range(6, 9)]
    front.release(f"{name}-go")
    for message in sent:
        assert front.ends(message)["status"] == "ok"
    assert front.run("print(seen)") == f"{['waiting', *range(9)]}\n"


def test_after_an_error_the_cells_behind_are_aborted(front):
    """A cell that fails while it waits stops those that are queued, as always; later ones run."""
    comm, _ = front.hold(fresh(front))
    waiting = front.waits("print('waiting', flush=True)\nrun.result()")
    queued = [front.start("print('never')") for _ in range(3)]
    front.click(comm)
    assert front.ends(waiting)["ename"] == "RunCancelled"
    assert [front.ends(message)["status"] for message in queued] == ["aborted"] * 3
    assert front.run("print(1 + 1)") == "2\n"


@pytest.mark.parametrize("way", ["main", "subshell"])
def test_a_click_while_another_cell_runs(front, way):
    """It is heard at once by a subshell; without one, when the cell is over."""
    name, subshell = fresh(front), way_of(front, way)
    comm, worker = front.hold(name)
    go = f"{name}-go"
    cell = front.waits(f"print('waiting', flush=True)\nuntil({go!r})\nprint(run.status)")
    clicked = time.monotonic()
    front.click(comm, subshell)
    if subshell:
        front.gone(worker)
        assert time.monotonic() - clicked < 2
    front.release(go)
    front.ends(cell)
    assert front.text(cell) == f"waiting\n{'cancelled' if subshell else 'running'}\n"
    front.gone(worker)
    assert front.run("run.wait()\nprint(run.status)") == "cancelled\n"


@pytest.mark.case("U28")
def test_an_interrupt_stops_the_waiting_only(front):
    """■ stops the cell with one line that says how to cancel; each time, and the run goes on."""
    name = fresh(front)
    _, worker = front.hold(name)
    for _ in range(2):
        waiting = front.waits("print('waiting', flush=True)\nrun.result()")
        front.manager.interrupt_kernel()
        assert front.ends(waiting)["ename"] == "KeyboardInterrupt"
        (line,) = front.text(waiting).removeprefix("waiting\n").splitlines()
        assert "goes on" in line
        assert "run.cancel() ends it" in line
        assert Path(f"/proc/{worker}").exists()
    front.release(name)
    assert front.run("print(run.result())") == f"{name}\n"


def test_an_interrupt_loses_no_cell(front):
    """Cells that the pump has looked at while one waited are answered after an interrupt."""
    comm, worker = front.hold(fresh(front))
    waiting = front.waits("print('waiting', flush=True)\nrun.result()")
    queued = [front.start("print('never')") for _ in range(3)]
    front.click(comm, kind="ask")  # a click after the cells: once it is answered, they were seen
    front.until(lambda: _answered(front, comm, waiting))
    front.manager.interrupt_kernel()
    assert front.ends(waiting)["ename"] == "KeyboardInterrupt"
    assert [front.ends(message)["status"] for message in queued] == ["aborted"] * 3
    assert front.run("run.cancel(); run.wait(); print(run.status)") == "cancelled\n"
    front.gone(worker)


def _answered(front: Front, comm: str, cell: str) -> bool:
    """Whether the kernel has been busy with a message of a widget, and then with the cell again."""
    states = [
        (m["parent_header"].get("msg_type"), m["content"]["execution_state"])
        for m in front.heard
        if m["header"]["msg_type"] == "status"
    ]
    wanted = [("comm_msg", "busy"), ("comm_msg", "idle"), ("execute_request", "busy")]
    return states[-3:] == wanted


def test_nested_loops_leave_the_kernel_usable(front):
    """``nested=True`` runs async activities in the cell's own thread, and later cells still run."""
    kernel = Kernel(front.client)
    kernel.run("nbflow.configure(on='threads')")
    test_kernel.test_async_activities_can_be_debugged_in_the_cells_own_thread(kernel)
