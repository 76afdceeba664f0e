"""The code in documents about testing, steps, measurements and migration runs as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
BLOCK = re.compile(
    r"<!-- run -->\n```python\n(.*?)```\n(?:\nprints\n\n```text\n(.*?)```)?", re.DOTALL
)
DOCUMENTS = ["measuring.md", "migrating-from-simpleflow.md", "steps.md", "testing.md"]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_code_of_a_document_runs_and_prints_what_it_says(tmp_path, document):
    """Its blocks, one after the other in one script, print what stands below them."""
    blocks = BLOCK.findall((ROOT / "docs" / document).read_text(encoding="utf-8"))
    assert blocks
    script = tmp_path / "script.py"
    script.write_text("\n\n".join(code for code, _ in blocks), encoding="utf-8")
    env = {**os.environ, "NBFLOW_STORE": str(tmp_path / "store"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "".join(printed for _, printed in blocks)
