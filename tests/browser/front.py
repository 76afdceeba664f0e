"""JupyterLab and Notebook 7 in Chromium, driven from Python: a server, a browser, notebooks."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from tests import kernels

CHROMIUM = os.environ.get("NBFLOW_CHROMIUM", "/usr/bin/chromium")
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
KERNEL = "window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel"
CELLS = "window.jupyterapp.shell.currentWidget.content.model.sharedModel.toJSON().cells"
RUN = """(first) => {
    window.__ran = false;
    const ran = (how) => { window.__ran = true; window.__how = String(how); };
    window.jupyterapp.shell.currentWidget.content.activeCellIndex = first;
    window.jupyterapp.commands.execute("notebook:run-all-below").then(ran, ran);
}"""

SOME = """([first, count]) => {
    window.__ran = false;
    const ran = (how) => { window.__ran = true; window.__how = String(how); };
    const { content } = window.jupyterapp.shell.currentWidget;
    content.deselectAll();
    content.activeCellIndex = first;
    content.extendContiguousSelectionTo(first + count - 1);
    window.jupyterapp.commands.execute("notebook:run-cell").then(ran, ran);
}"""
BEGUN = f"""(first) => [
    document.querySelectorAll('.jp-Notebook .jp-Cell')[first]
        ?.querySelector('.jp-InputPrompt')?.textContent.includes('*'),
    {CELLS}[first].execution_count ?? null,
]"""
"""Whether a cell is being run or will be, and its number."""
COMMAND = "async ([name, args]) => { await window.jupyterapp.commands.execute(name, args); }"
ADD = """(source) => {
    const { content } = window.jupyterapp.shell.currentWidget;
    const model = content.model.sharedModel;
    model.insertCell(model.cells.length, { cell_type: "code", source });
}"""


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab server."""

    url: str
    token: str
    root: Path
    data: Path

    def request(self, path: str, method: str = "GET") -> bytes:
        """Ask its REST interface."""
        request = urllib.request.Request(f"{self.url}{path}?token={self.token}", method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            found: bytes = answer.read()
        return found


@contextlib.contextmanager
def serving(root: Path) -> Iterator[Lab]:
    """Run a server with settings of its own on notebooks in a folder.

    Args:
        root: The folder; what the server keeps is in it, too.

    Raises:
        AssertionError: The server does not start; the end of its log is the message.
    """
    home = root / ".home"
    settings = home / "app-settings"
    settings.mkdir(parents=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    overrides = {"@jupyterlab/apputils-extension:notification": quiet}
    (settings / "overrides.json").write_text(json.dumps(overrides))
    env = {
        **os.environ,
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "user"),
        **{f"JUPYTER_{k}_DIR": str(home / k.lower()) for k in ("CONFIG", "DATA", "RUNTIME")},
    }
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    command = [
        *(sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"),
        *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"),
        *(f"--ServerApp.root_dir={root}", f"--IdentityProvider.token={token}"),
        *("--LabApp.expose_app_in_browser=True", f"--LabApp.app_settings_dir={settings}"),
        "--JupyterNotebookApp.expose_app_in_browser=True",
    ]
    log = root / "jupyter.log"
    with log.open("w") as out:
        server = subprocess.Popen(
            command, env=env, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    found = Lab(f"http://127.0.0.1:{port}", token, root, home / "data")
    end = time.monotonic() + 60
    while True:
        try:
            found.request("/api/status")
            break
        except OSError:
            assert server.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < end, log.read_text()[-2000:]
            time.sleep(0.1)
    try:
        yield found
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


@contextlib.contextmanager
def browsing() -> Iterator[Any]:
    """Run a Chromium without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield browser
        browser.close()


LAB, NOTEBOOK = "lab/tree", "notebooks"
"""Where the server shows a notebook in JupyterLab, and in Notebook 7."""

NOISE = (
    "Cannot read properties of undefined (reading 'schema')",
    "Command 'filebrowser:open-path' not registered.",
)
"""What Notebook 7.6 throws when it opens notebooks, empty ones as well."""


class Notebook:
    """A notebook open in JupyterLab or in Notebook 7."""

    def __init__(self, page: Any, lab: Lab, name: str, view: str = LAB) -> None:
        self.page = page
        self.lab = lab
        self.view = view
        self.path = lab.root / name
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self._failed(str(error)))
        self.open()

    def _failed(self, error: str) -> None:
        if self.view != NOTEBOOK or error not in NOISE:
            self.errors.append(error)

    def open(self, path: Path | None = None) -> None:
        """Open the page, or open it anew or that of another file, and wait for the kernel.

        A front end now and then misses the first status of a kernel that it has just
        started, and shows it as starting for ever; a reload asks again, as a person does.
        """
        self.path = path or self.path
        place = self.path.relative_to(self.lab.root).as_posix()
        url = f"{self.lab.url}/{self.view}/{place}?reset&token={self.lab.token}"
        for attempt in range(3):
            self.page.goto(url, wait_until="domcontentloaded")
            self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
            if self._becomes(f"{KERNEL}?.status === 'idle'", 20 + 10 * attempt):
                return
        raise AssertionError(self.story())

    def story(self) -> str:
        """Say what the front end and the server know of the kernel."""
        status = self.page.evaluate(f"() => [{KERNEL}?.status, {KERNEL}?.connectionStatus]")
        sessions = self.lab.request("/api/sessions").decode()
        log = (self.lab.root / "jupyter.log").read_text()[-3000:]
        return f"The kernel is not idle, but {status}.\n{sessions}\n{log}"

    def wait_for(self, condition: str, seconds: float = 30) -> None:
        """Wait until a JavaScript expression is true.

        Raises:
            AssertionError: It is not, after so long.
        """
        if not self._becomes(condition, seconds):
            words = self.page.evaluate("() => document.querySelector('.jp-Notebook')?.textContent")
            shown = f"{(words or '')[-1500:]}\n{self.errors}"
            raise AssertionError(f"not so within {seconds} s: {condition}\nThe page says:\n{shown}")

    def _becomes(self, condition: str, seconds: float) -> bool:
        from playwright.sync_api import TimeoutError as Late

        try:
            self.page.wait_for_function(f"() => {condition}", timeout=seconds * 1000)
        except Late:
            return False
        return True

    def start(self, first: int = 0) -> None:
        """Run a cell and those below, and do not wait: one may block, and the test must not."""
        self._begin(RUN, first, first)

    def wait(self, seconds: float = 30) -> None:
        """Wait until all cells have run. The kernel's status would not tell that."""
        self.wait_for("window.__ran === true", seconds)

    def run(self, seconds: float = 30) -> None:
        """Run all cells."""
        self.start()
        self.wait(seconds)

    def run_cells(self, first: int, count: int) -> None:
        """Run so many cells, and no other."""
        self._begin(SOME, [first, count], first)
        self.wait()

    def _begin(self, script: str, arguments: Any, first: int) -> None:
        """Run cells, and see that the first one is; a front end drops what it is told too early."""
        before = self.page.evaluate(BEGUN, first)[1]
        for _ in range(3):
            self.page.evaluate(script, arguments)
            begun = f"(([waits, count]) => waits || count !== {json.dumps(before)})"
            if self._becomes(f"{begun}(({BEGUN})({first}))", 15):
                return
        how = self.page.evaluate("() => window.__how")
        raise AssertionError(f"cell {first} is not run: {how}\n{self.story()}")

    def write(self, path: Path, notebook: nbformat.NotebookNode) -> None:
        """Write a notebook without the server, which therefore does not trust it."""
        nbformat.write(notebook, path)

    def command(self, name: str, arguments: dict[str, Any] | None = None) -> None:
        """Run a command of JupyterLab to its end."""
        self.page.evaluate(COMMAND, [name, arguments or {}])

    def add(self, code: str) -> None:
        """Put a cell below the last one, which is chosen then."""
        self.page.evaluate(ADD, code)

    def restart(self) -> None:
        """Start the kernel anew, without the question whether one is sure."""
        self.page.evaluate(f"() => {KERNEL}.restart()")
        self.wait_for(f"{KERNEL}?.status === 'idle'", 60)

    def save(self) -> nbformat.NotebookNode:
        """Save the notebook and read the file."""
        self.command("docmanager:save")
        found: nbformat.NotebookNode = nbformat.read(self.path, as_version=4)
        return found

    def outputs(self, cell: int) -> list[dict[str, Any]]:
        """Give the outputs of a cell as they would be saved."""
        found: list[dict[str, Any]] = self.page.evaluate(f"() => {CELLS}[{cell}].outputs")
        return found

    def text(self, cell: int) -> str:
        """Give what a cell printed, or the error it raised."""
        return "".join(
            "".join(output.get("text", "")) or output.get("evalue", "")
            for output in self.outputs(cell)
        )

    def printed(self, cell: int) -> str:
        """Wait until a cell has printed something, and give it."""
        self.wait_for(f"{CELLS}[{cell}].outputs.length > 0")
        return self.text(cell)

    def says(self, cell: int, words: str, seconds: float = 20) -> None:
        """Wait until a cell has printed this and no more; what it prints may come after its end.

        Raises:
            AssertionError: It has printed something else by then.
        """
        end = time.monotonic() + seconds
        while (found := self.text(cell)) != words:
            assert time.monotonic() < end, f"cell {cell} says {found!r}, not {words!r}"
            self.page.wait_for_timeout(50)

    def shot(self, path: Path, part: str = "") -> None:
        """Take a picture of the page, or of the first such part of it."""
        (self.page.locator(part).first if part else self.page).screenshot(path=str(path))


@contextlib.contextmanager
def opening(lab: Lab, chromium: Any, **how: Any) -> Iterator[Callable[..., Notebook]]:
    """Give what opens notebooks in a context of their own; their kernels end with it.

    Args:
        lab: The server.
        chromium: The browser.
        how: Options of the context, such as ``color_scheme``.
    """
    context = chromium.new_context(**{"viewport": {"width": 1200, "height": 1000}, **how})
    names: set[str] = set()

    def make(*cells: str, view: str = LAB, ipykernel: str = "") -> Notebook:
        folder = f"n{secrets.token_hex(4)}"  # of its own: tests leave files beside notebooks
        name = f"{folder}/{folder}.ipynb"
        names.add(folder)
        (lab.root / folder).mkdir()
        spec = {"name": "python3", "display_name": "Python 3"}
        if ipykernel:
            spec = {"name": kernels.specify(ipykernel, lab.data), "display_name": ipykernel}
        made = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
            metadata={"kernelspec": spec},
        )
        nbformat.write(made, lab.root / name)
        return Notebook(context.new_page(), lab, name, view)

    try:
        yield make
    finally:
        context.close()
        for session in json.loads(lab.request("/api/sessions")):
            if session["path"].partition("/")[0] in names:
                with contextlib.suppress(OSError):
                    lab.request(f"/api/sessions/{session['id']}", "DELETE")
