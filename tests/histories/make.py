"""Writes the histories that are missing: ``python -m tests.histories.make``."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import nbflow
from nbflow.core.events import RULES
from tests.histories.cases import CASES

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
            run = workflow.start(*args)
            with contextlib.suppress(ValueError):
                run.result(timeout=60)
            run.export_history(file)
            # Where this directory was does not belong into a file that is kept.
            file.write_text(file.read_text().replace(f"{HERE.parent.parent}/", ""))
            made.append(file)
    return made


if __name__ == "__main__":
    for file in make():
        sys.stdout.write(f"{file.relative_to(HERE)}\n")
