"""What commands print, kept in files: one a command and a format, which change only on purpose.

NBFLOW_UPDATE_GOLDEN=1 renews them.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from tests.cli.conftest import Said

GOLDEN = Path(__file__).parent / "golden"
UPDATE = bool(os.environ.get("NBFLOW_UPDATE_GOLDEN"))
FORMS = ["table", "csv", "tsv", "json", "jsonl"]


def told(line: str, said: Said, form: str) -> str:
    """Write down what a command said; what programs are to read is read."""
    for part in [said.out] if form == "json" else said.out.splitlines() if form == "jsonl" else []:
        if part:
            json.loads(part)
    head = "--- stderr\n" if said.err else ""
    return f"$ nbflow {line}\n{said.out}{head}{said.err}--- exit {said.code}\n"


def hold(name: str, form: str, found: str) -> str:
    """Compare with what was agreed, or agree; give what differs."""
    golden = GOLDEN / f"{name.replace(' ', '-')}.{form}.txt"
    found = re.sub(r" +", " ", found)
    if UPDATE:
        golden.write_text(found)
    agreed = golden.read_text() if golden.exists() else "(nothing was agreed)"
    return "" if found == agreed else f"{golden.name}:\n{found}"
