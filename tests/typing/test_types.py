"""pyright, on programs that use the public API: what it finds, and what it lets pass.

What mypy makes of the same programs is seen by `make check`, with the rest of the code.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PROGRAMS = HERE / "programs.py"
_MARK = "# wrong: "


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[int, str]]:
    """What pyright's engine says in its strict mode of both files, by name and line."""
    config = tmp_path_factory.mktemp("pyright") / "pyrightconfig.json"
    options: dict[str, Any] = {"pythonVersion": "3.11", "typeCheckingMode": "strict"}
    options["enableTypeIgnoreComments"] = False  # those are for mypy, and hide what is looked for
    files = [str(PROGRAMS), str(HERE / "api.py")]
    config.write_text(json.dumps({"include": files, "extraPaths": [str(ROOT)], **options}))
    words = ["basedpyright", "--outputjson", f"--pythonpath={sys.executable}"]
    command = [sys.executable, "-m", *words, "--project", str(config)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    found = json.loads(done.stdout)
    assert found["summary"]["filesAnalyzed"] == len(files), done.stderr
    said: dict[str, dict[int, str]] = {Path(file).name: {} for file in files}
    for each in found["generalDiagnostics"]:
        lines, line = said[Path(each["file"]).name], each["range"]["start"]["line"] + 1
        lines[line] = f"{lines.get(line, '')} {each['message']}"
    return said


def _ending(file: Path, mark: str) -> dict[int, str]:
    lines = enumerate(file.read_text().splitlines(), 1)
    return {number: line.partition(mark)[2] for number, line in lines if mark in line}


@pytest.mark.timeout(300)
def test_a_type_checker_finds_what_is_wrong_and_nothing_else(
    errors: dict[str, dict[int, str]],
) -> None:
    """In code of users the lines that are wrong are refused with the reason; no other line is."""
    marked, found = _ending(PROGRAMS, _MARK), errors["programs.py"]
    assert len(marked) >= 6
    assert set(found) == set(marked), found
    assert all(word in found[line] for line, word in marked.items()), found


@pytest.mark.timeout(300)
def test_pyright_takes_the_public_api_as_mypy_does(errors: dict[str, dict[int, str]]) -> None:
    """What api.py asserts of types holds, and what mypy refuses there is refused."""
    assert set(errors["api.py"]) == set(_ending(HERE / "api.py", "# type: ignore["))
