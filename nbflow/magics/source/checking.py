"""Checks the code of cells before any of it is run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nbflow.magics.source.edges import unfit
from nbflow.magics.source.slicing import Part
from nbflow.magics.source.tools import Finding, by_mypy, by_ruff
from nbflow.magics.source.writing import export


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found.

    Attributes:
        findings: In the order of the cells.
        notes: What was not looked at, and why.
    """

    findings: tuple[Finding, ...]
    notes: tuple[str, ...]


def check(
    found: Sequence[Part],
    names: Iterable[str],
    *,
    source: str,
    beside: Path,
    strict: bool = False,
) -> Checked:
    """Check workflows as the module that `export` makes of them.

    Args:
        found: All parts of the cells.
        names: The workflows; none: all that there are, else all activities.
        source: What the cells are of.
        beside: A file in whose directory ruff and mypy look for their settings.
        strict: Whether annotations are to be everywhere.

    Raises:
        NbflowError: There is no such workflow, or what it needs has no form outside a notebook.
    """
    made = export(found, names, source=source, beside=beside, pretty=False).made
    findings = [
        Finding(cell, line, "undefined", f"no cell defines {name}")
        for name, cell, line in made.missing
    ]
    findings += unfit(made)
    notes = []
    ruff, mypy = by_ruff(made, beside), by_mypy(made, beside, strict=strict)
    for tool, told in (("ruff", ruff), ("mypy", mypy)):
        if told is None:
            notes.append(f"nothing was checked by {tool}: pip install {tool}")
        else:
            findings += [one for one in told if not _known(one, made.missing)]
    return Checked(tuple(sorted(set(findings))), tuple(notes))


def _known(one: Finding, missing: Iterable[tuple[str, int, int]]) -> bool:
    """Whether it is a name that is told of already."""
    return one.code in {"F821", "name-defined"} and any(
        f"`{name}`" in one.text or f'"{name}"' in one.text for name, _, _ in missing
    )
