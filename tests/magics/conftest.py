"""A shell in this process, and kernels of their own."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.testing.globalipapp import start_ipython
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).parent.parent.parent
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def plain(text: str) -> str:
    """Leave colours out."""
    return _ANSI.sub("", text)


# ---------------------------------------------------------------- a shell in this process


@pytest.fixture(scope="session")
def session_shell(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Start the one shell that a process may have."""
    os.environ.setdefault("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
    return start_ipython() or InteractiveShell.instance()


@dataclass
class Shell:
    """The shell, as tests use it."""

    ip: Any
    capture: Callable[[], tuple[str, str]]

    def cell(self, *lines: str) -> str:
        """Run a cell and give all that it prints, its result and its error included."""
        self.capture()
        self.ip.run_cell("\n".join(lines), store_history=True)
        out, err = self.capture()
        return plain(out + err)

    def number(self) -> int:
        """Number of the cell that ran last."""
        return int(self.ip.execution_count) - 1

    def __getitem__(self, name: str) -> Any:
        return self.ip.user_ns[name]


@pytest.fixture
def shell(session_shell, capsys, monkeypatch) -> Iterator[Shell]:
    """Give a shell with an empty namespace and the extension loaded."""
    ip = session_shell
    before = dict(ip.user_ns)
    monkeypatch.setitem(sys.modules, "__main__", ip.user_module)
    ip.extension_manager.load_extension("nbflow")
    ip.run_cell("import nbflow")
    yield Shell(ip, lambda: tuple(capsys.readouterr()))
    ip.extension_manager.unload_extension("nbflow")
    ip.user_ns.clear()
    ip.user_ns.update(before)


# ---------------------------------------------------------------- kernels


@dataclass
class Reply:
    """What came back for a cell."""

    status: str
    content: dict[str, Any]
    outputs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text of all outputs."""
        return plain(_joined(self.outputs))


def _joined(outputs: list[Any]) -> str:
    """Join texts by lines; a stream may come in any number of pieces, wherever it was flushed."""
    parts: list[str] = []
    streaming = False
    for output in outputs:
        if "text" in output and streaming:
            parts[-1] += _text(output)
        else:
            parts.append(_text(output))
        streaming = "text" in output
    return "\n".join(parts)


def _text(output: dict[str, Any]) -> str:
    if "text" in output:
        return str(output["text"])
    if "traceback" in output:
        return "\n".join(output["traceback"])
    return str(output.get("data", {}).get("text/plain", ""))


class Kernel:
    """A kernel with somebody in front of it."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self.client = client

    def run(self, *lines: str, allow_stdin: bool = True) -> Reply:
        """Run a cell to its end; by default as a front end does where somebody can answer."""
        message = self.client.execute("\n".join(lines), allow_stdin=allow_stdin)
        outputs = []
        while True:
            found = self.client.get_iopub_msg(timeout=30)
            if found["parent_header"].get("msg_id") != message:
                continue
            kind, content = found["header"]["msg_type"], found["content"]
            if kind == "status" and content["execution_state"] == "idle":
                break
            if kind in {"stream", "error", "display_data", "execute_result"}:
                outputs.append(content)
        reply = self._reply(message)
        return Reply(reply["status"], reply, outputs)

    def _reply(self, message: str) -> dict[str, Any]:
        while True:
            found = self.client.get_shell_msg(timeout=30)
            if found["parent_header"].get("msg_id") == message:
                return dict(found["content"])

    def updates(self, display: str, kind: str) -> list[dict[str, Any]]:
        """Listen for what an output is replaced by, until it is of that media type."""
        found: list[dict[str, Any]] = []
        while not found or kind not in found[-1]:
            content = self.client.get_iopub_msg(timeout=30)["content"]
            if content.get("transient", {}).get("display_id") == display:
                found.append(content["data"])
        return found

    def complete(self, code: str) -> list[str]:
        """Press Tab at the end of `code`."""
        return list(self._reply(self.client.complete(code, len(code)))["matches"])

    def reset(self) -> None:
        """Forget all names, load the extension, keep nothing."""
        self.run("%reset -f", "%reload_ext nbflow", "import nbflow")
        self.run("nbflow.configure(on='threads', store=':memory:')")


@pytest.fixture(scope="session")
def kernel_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the kernels a directory, an IPython profile and a store of their own."""
    return tmp_path_factory.mktemp("kernel")


def _environment(home: Path) -> dict[str, str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith("NBFLOW_")}
    paths = [str(ROOT), env.get("PYTHONPATH", "")]
    return {
        **env,
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "NBFLOW_STORE": str(home / "store"),
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }


@pytest.fixture(scope="session")
def session_kernel(kernel_home: Path) -> Iterator[Kernel]:
    """Start one kernel for all tests that talk to one."""
    manager: KernelManager
    manager, client = start_new_kernel(
        kernel_name="python3", env=_environment(kernel_home), cwd=str(kernel_home)
    )
    yield Kernel(client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(session_kernel: Kernel) -> Kernel:
    """Give a kernel in which nothing has happened yet."""
    session_kernel.reset()
    return session_kernel


@dataclass
class Executed:
    """A notebook after nbclient has run it."""

    cells: list[Any]
    error: CellExecutionError | None

    def text(self, index: int) -> str:
        """All text of a cell's outputs."""
        return plain(_joined(self.cells[index].outputs))

    def kinds(self, index: int) -> list[set[str]]:
        """The media types of each rich output of a cell."""
        return [set(o.data) for o in self.cells[index].outputs if "data" in o]


@pytest.fixture
def headless(kernel_home: Path, monkeypatch) -> Callable[..., Executed]:
    """Run a notebook as papermill and nbconvert do."""
    for name, value in _environment(kernel_home).items():
        monkeypatch.setenv(name, value)

    def execute(*cells: str) -> Executed:
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
        client = NotebookClient(
            book,
            timeout=60,
            kernel_name="python3",
            resources={"metadata": {"path": str(kernel_home)}},
        )
        error = None
        try:
            client.execute()
        except CellExecutionError as failed:
            error = failed
        return Executed(book.cells, error)

    return execute
