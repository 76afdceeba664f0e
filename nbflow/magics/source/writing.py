"""Writes a workflow of cells as a module, with a skeleton of its tests and a map of its lines."""

from __future__ import annotations

import ast
import importlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nbflow.core.errors import NbflowError
from nbflow.core.parsing import parsed
from nbflow.magics.source.cells import activities, workflows
from nbflow.magics.source.module import Module, module, placed
from nbflow.magics.source.slicing import Part
from nbflow.magics.source.tools import formatted

MARK: Final = "as exported by nbflow."
"""How the docstring of a module ends that was written here, and may be written again."""


_NAMED: Final = 45
"""How many letters the names of workflows and of the notebook may have in a docstring."""


class WriteError(NbflowError):
    """A module cannot be written where it is to be."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A module that was made of cells.

    Attributes:
        made: The module.
        notes: What there is to know about it, a line each.
    """

    made: Module
    notes: tuple[str, ...]


def export(
    found: Sequence[Part],
    names: Iterable[str],
    *,
    source: str,
    beside: Path,
    pretty: bool = True,
) -> Exported:
    """Make a module of workflows.

    Args:
        found: All parts of the cells.
        names: The workflows that are wanted; none: all that there are, else all activities.
        source: What the cells are of, for the docstring.
        beside: Where it is to be; a formatter looks for its settings there.
        pretty: Whether to format it.

    Raises:
        NbflowError: There is no such workflow, or what it needs has no form outside a notebook.
    """
    wanted = _wanted(found, tuple(names))
    title = _title(wanted, source)
    flows = [name for name in wanted if name in set(workflows(found))]
    made = module(found, wanted, title=title, main=flows[0] if len(flows) == 1 else "")
    notes = [
        f"{name} is read in cell {cell}, line {line}, and no cell defines it"
        for name, cell, line in made.missing
    ]
    if pretty:
        text = formatted(made.text, beside)
        if text is None:
            notes.append("it is not formatted: pip install ruff")
        else:
            made = placed(made, text)
    return Exported(made, tuple(notes))


def _title(wanted: Sequence[str], source: str) -> str:
    """Give the docstring of a module, on one line that is no longer than lines of code are."""
    names = ", ".join(wanted)
    if len(names) + len(source) > _NAMED and len(wanted) > 1:
        names = f"{wanted[0]} and {len(wanted) - 1} more"
    return f"{names} of {source}, {MARK}".replace("\\", "/").replace('"', "'")


def _wanted(found: Sequence[Part], names: tuple[str, ...]) -> tuple[str, ...]:
    there = list(dict.fromkeys(workflows(found)))
    if not names:
        names = tuple(there) or tuple(dict.fromkeys(activities(found)))
    if not names:
        message = "no cell defines a workflow or an activity"
        raise NbflowError(message)
    bound = frozenset().union(*(part.binds for part in found))
    for name in names:
        if name not in bound:
            known = f"; there is {', '.join(there)}" if there else ""
            message = f"no cell defines {name}{known}"
            raise NbflowError(message)
    return names


def write(text: str, path: Path, *, force: bool) -> Path:
    """Write a file, but not over one that nbflow has not written.

    Raises:
        WriteError: There is a file already, or it cannot be written.
    """
    try:
        if path.exists() and not force and MARK not in path.read_text(encoding="utf-8")[:2_000]:
            message = f"{path} exists and was not written by nbflow export: add --force"
            raise WriteError(message)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path} cannot be written: {error}"
        raise WriteError(message) from None
    return path


def write_all(
    done: Exported,
    output: str | None,
    *,
    tests: str | None = None,
    map_file: str | None = None,
    force: bool = False,
) -> list[Path]:
    """Write the files that were asked for, and give which.

    Args:
        done: The module.
        output: Where it is to be; None: nowhere.
        tests: Where a skeleton of its tests is to be; None: nowhere.
        map_file: Where the map of its lines is to be; None: nowhere.
        force: Whether to write over files that are not nbflow's.

    Raises:
        WriteError: A file is there already, or cannot be written. Those before it are written.
    """
    beside = Path(output or "exported.py").absolute()
    written = [write(done.made.text, Path(output), force=force)] if output else []
    if tests:
        text = skeleton(done.made, beside.stem, beside)
        written.append(write(text, Path(tests), force=force))
    if map_file:
        written.append(write(line_map(done.made), Path(map_file), force=True))
    importlib.invalidate_caches()  # the module may be imported in the next line of a cell
    return written


def line_map(made: Module) -> str:
    """Give, as JSON, the cell and line of each line of a module: null for what no cell has."""
    rows = [[line.cell, line.line] if line.cell else None for line in made.lines]
    return json.dumps({"version": 1, "lines": rows}) + "\n"


def skeleton(made: Module, name: str, beside: Path) -> str:
    """Give tests of a module: each activity alone, and each workflow with its arguments.

    What has to be filled in is skipped until it is, and says so.

    Args:
        made: The module.
        name: As it is imported.
        beside: A file in whose directory a formatter looks for its settings.
    """
    functions = [
        node
        for node in parsed(made.text).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    ours = {node.name: kind for node in functions if (kind := _kind(node))}
    head = [f'"""Tests of {name}, {MARK}"""', "", "import pytest", "", "import nbflow"]
    head += [f"from {name} import {', '.join(sorted(ours))}" if ours else f"import {name}", ""]
    body: list[str] = []
    for node in functions:
        if node.name in ours:
            body += _test(node, ours[node.name])
    text = "\n".join([*head, *body]) + "\n"
    return formatted(text, beside) or text


def _kind(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    texts = [ast.unparse(decorator).partition("(")[0] for decorator in node.decorator_list]
    return next(
        (kind for kind in ("activity", "workflow") for text in texts if text.endswith(kind)), ""
    )


def _test(node: ast.FunctionDef | ast.AsyncFunctionDef, kind: str) -> list[str]:
    given = node.args
    names = [a.arg for a in (*given.posonlyargs, *given.args)]
    missing = names[: len(names) - len(given.defaults)]
    missing += [
        a.arg for a, d in zip(given.kwonlyargs, given.kw_defaults, strict=True) if d is None
    ]
    lines = ["", ""]
    if missing:
        lines.append(f'@pytest.mark.skip(reason="give it {", ".join(missing)}")')
    lines.append(f"def test_{node.name}():")
    values = ", ".join(f"{name}=..." for name in missing)
    if kind == "workflow":
        lines.append('    """The workflow completes, and gives what it is to give."""')
        lines.append('    nbflow.configure(store=":memory:")')
        lines.append(f"    run = {node.name}.start({values})")
        lines.append("    run.wait()")
        lines.append('    assert run.status == "completed"')
    else:
        lines.append('    """The activity alone gives what it is to give."""')
        call = f"{node.name}({values})"
        if isinstance(node, ast.AsyncFunctionDef):
            lines.append("    import asyncio")
            lines.append("")
            call = f"asyncio.run({call})"
        lines.append(f"    assert {call} is not None")
    return lines
