"""Writes the histories that are missing: ``python -m tests.replay.make``."""

from __future__ import annotations

import sys
from pathlib import Path

import nbflow
from nbflow.core.events import RULES
from nbflow.testing.checks import eventually
from tests.replay.cases import CASES as OLD
from tests.replay.language import BROKEN, LANGUAGE

CASES = OLD | LANGUAGE
"""By name: the workflow and its arguments."""
CANCELLED = {"cleans": "stuck-1"}
"""The cases that are cancelled, and the call that is there by then."""
RESUMED = {"reordered": 16}
"""The cases that fail and are resumed, and what fails in them."""

HERE = Path(__file__).parent


def make() -> list[Path]:
    """Run the workflow of each case that has no file yet, and write its history."""
    directory = HERE / str(RULES)
    directory.mkdir(exist_ok=True)
    nbflow.configure(store=":memory:", on="threads", max_workers=2)
    made = []
    for name, (workflow, args) in CASES.items():
        file = directory / f"{name}.jsonl"
        if not file.exists():
            BROKEN.extend([RESUMED[name]] if name in RESUMED else [])
            run = workflow.start(*args)
            if name in CANCELLED:
                eventually(lambda: CANCELLED[name] in run.calls, f"{name} gets there")  # noqa: B023
                run.cancel("no longer wanted")
            run.wait(timeout=60)
            if name in RESUMED:
                run.resume(workflow).wait(timeout=60)
            run.export_history(file)
            # Where this directory was does not belong into a file that is kept.
            file.write_text(file.read_text().replace(f"{HERE.parent.parent}/", ""))
            made.append(file)
    return made


if __name__ == "__main__":
    for file in make():
        sys.stdout.write(f"{file.relative_to(HERE)}\n")
