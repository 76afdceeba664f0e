"""What stores, executors and runs leave behind in a process that goes on: nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks at the processes of Linux")
@pytest.mark.parametrize("store", [":memory:", "file"])
@pytest.mark.parametrize(
    "place",
    ["inline", "threads", "asyncio", pytest.param("processes", marks=pytest.mark.slow)],
)
@pytest.mark.timeout(180)
def test_no_file_thread_or_child_is_left(place: str, store: str, tmp_path: Path) -> None:
    """To open, run, look and close seventeen times more holds no more than three times did."""
    where = store if store == ":memory:" else str(tmp_path / "store")
    done = subprocess.run(
        [sys.executable, "-m", "tests.contracts.rounds", place, where],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    files, threads, children = map(int, done.stdout.splitlines()[-1].split())
    assert files <= 12
    assert threads <= 4
    assert children == 0
