"""The examples do what docs/examples.md says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHOWN = re.compile(
    r"^\[(\w+)\.py\]\(\.\./examples/\1\.py\): [^\n]*\n\n```text\n(.*?)```", re.MULTILINE | re.DOTALL
)
"""An example, and what the document says that it prints."""
EXAMPLES = dict(SHOWN.findall((ROOT / "docs/examples.md").read_text(encoding="utf-8")))
MUST = {
    *(
        "basic",
        "canvas",
        "child_workflow",
        "continue_as_new",
        "execute",
        "idempotent",
        "marker",
        "metrology",
    ),
    *("middleware", "on_task_failure", "priorities", "retries", "signals", "steps", "timer"),
}


def test_every_example_is_in_the_document() -> None:
    """Each script has its part of docs/examples.md; the demo has tests of its own."""
    scripts = {path.stem for path in (ROOT / "examples").glob("*.py")}
    assert scripts == {*EXAMPLES, "demo"}
    assert scripts >= MUST


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_prints_what_the_document_says(name: str, tmp_path: Path) -> None:
    """Run as a user does, in an empty directory, it prints every value, and leaves nothing."""
    env = {k: v for k, v in os.environ.items() if k not in {"NBFLOW_STORE", "BUCKET"}}
    env |= {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    script = str(ROOT / "examples" / f"{name}.py")
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == EXAMPLES[name]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_says_what_it_shows(name: str) -> None:
    """It begins with a sentence, and with how it is run."""
    text = (ROOT / "examples" / f"{name}.py").read_text(encoding="utf-8")
    first, _, rest = text.removeprefix('"""').partition("\n")
    assert first.endswith(".")
    assert rest.startswith(f"\nRun it by ``python examples/{name}.py``.\n")
