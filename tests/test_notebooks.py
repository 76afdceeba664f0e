"""The notebooks are true: each runs from top to bottom in a real kernel, and shows what it says."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
MEANT_TO_FAIL = "raises-exception"
SHOWS_A_RUN = re.compile(r"^run\d*(\.resume\(\))?\Z", re.MULTILINE)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    # nbclient leaves the loop that it has made for itself open
    pytest.mark.filterwarnings("ignore:unclosed event loop:ResourceWarning"),
]


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def executed(request, tmp_path_factory):
    """Execute a notebook where it stands, with its log, its profile and its kernel elsewhere."""
    home = tmp_path_factory.mktemp(request.param.stem)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBFLOW_STORE", str(home / "store"))
        patch.delenv("NBFLOW_WAIT", raising=False)
        patch.setenv("IPYTHONDIR", str(home / "ipython"))
        patch.setenv("JUPYTER_CONFIG_DIR", str(home / "config"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(home / "runtime"))
        patch.setenv("JUPYTER_PREFER_ENV_PATH", "1")
        notebook = nbformat.read(request.param, as_version=4)
        before = _files(request.param.parent)
        client = NotebookClient(
            notebook,
            timeout=60,
            kernel_name="python3",
            resources={"metadata": {"path": str(request.param.parent)}},
        )
        client.execute()  # raises at the first error in a cell that is not meant to fail
        left = _files(request.param.parent) - before
    return notebook, left


def _files(directory: Path) -> set[Path]:
    return {path for path in directory.rglob("*") if ".ipynb_checkpoints" not in path.parts}


def _code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_cells_meant_to_fail_do(executed):
    """A cell that is shown to fail does; every other one has run without an error."""
    for cell in _code(executed[0]):
        failed = any(output.output_type == "error" for output in cell.outputs)
        assert failed == (MEANT_TO_FAIL in cell.metadata.get("tags", [])), cell.source


def test_nothing_is_written_to_stderr(executed):
    """A first page shows no warnings."""
    notebook, _ = executed
    texts = [o.text for c in _code(notebook) for o in c.outputs if o.get("name") == "stderr"]
    assert texts == []


def test_the_saved_notebook_shows_its_runs(executed):
    """A run at the end of a cell leaves a picture, and a text that names the run's calls."""
    notebook, _ = executed
    runs = [
        c
        for c in _code(notebook)
        if re.search(r"^(run\d*|%nbflow status.*)\Z", c.source, re.MULTILINE)
    ]
    assert runs
    for cell in runs:
        pictures = [
            output.data["text/plain"]
            for output in cell.outputs
            if "data" in output and {"image/png", "image/svg+xml"} & output.data.keys()
        ]
        assert len(pictures) == 1, cell.source
        assert re.search(r"completed|failed", pictures[0])
        assert re.search(r"\w+-1\(", pictures[0])


def test_it_leaves_no_files(executed):
    """With the store elsewhere, a notebook leaves nothing beside itself."""
    assert executed[1] == set()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_committed_without_outputs(path):
    """Outputs are not committed: they differ each time, and these tests make them anew."""
    for cell in _code(nbformat.read(path, as_version=4)):
        assert cell.outputs == []
        assert cell.execution_count is None
