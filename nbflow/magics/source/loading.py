"""A workflow of a module as cells of a notebook."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from nbflow.core.errors import NbflowError
from nbflow.core.parsing import parsed
from nbflow.magics.source.cells import workflows
from nbflow.magics.source.module import Module, module
from nbflow.magics.source.slicing import Part

_CODE: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_IMPORT: Final = (ast.Import, ast.ImportFrom)


def file_of(module: str) -> Path | None:
    """Give the file of a module of Python's, without running it; None if there is no such file.

    Args:
        module: As it is imported.
    """
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    if found is None or not found.origin or not found.origin.endswith(".py"):
        return None
    return Path(found.origin)


def as_cells(found: Sequence[Part], names: Sequence[str], *, path: Path) -> list[str]:
    """Give the sources of cells: imports, values, a cell for each function, and how it is run.

    Args:
        found: The parts of a module.
        names: The workflows that are wanted; none: all.
        path: The module's file, against which relative imports are resolved.

    Raises:
        NbflowError: There is no such workflow.
    """
    there = list(dict.fromkeys(workflows(found)))
    wanted = list(names) or there
    if not wanted or any(name not in there for name in wanted):
        known = f"there is {', '.join(there)}" if there else "there is none at all"
        message = f"{path.name} has no workflow {', '.join(names) or ''}: {known}"
        raise NbflowError(message.replace("  ", " "))
    made = module(found, wanted, title="")
    cells = list(_grouped(made, path))
    return [*cells, *(f"%nbflow run {name}({_arguments(made, name)})" for name in wanted)]


def _grouped(made: Module, path: Path) -> Iterator[str]:
    imports = ["%load_ext nbflow"]
    values: list[str] = []
    code: list[str] = []
    lines = made.text.split("\n")
    end = 0
    for statement in parsed(made.text).body:
        text = "\n".join(lines[end : statement.end_lineno]).strip("\n")
        end = statement.end_lineno or statement.lineno
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue  # the docstring
        if isinstance(statement, _IMPORT):
            imports.append(_absolute(statement, path))
        elif isinstance(statement, _CODE):
            code.append(text)
        elif code:
            code.append(text)  # it may need what stands before it
        else:
            values.append(text)
    yield "\n".join(imports)
    if values:
        yield "\n".join(values)
    yield from code


def _absolute(statement: ast.stmt, path: Path) -> str:
    """Give an import as it is outside of its package."""
    if isinstance(statement, ast.ImportFrom) and statement.level:
        package = _package(path)
        kept = package[: len(package) - statement.level + 1]
        if not kept:
            message = f"{path.name}: {ast.unparse(statement)} leads out of its package"
            raise NbflowError(message)
        name = ".".join([*kept, *([statement.module] if statement.module else [])])
        return ast.unparse(ast.ImportFrom(name, statement.names, 0))
    return ast.unparse(statement)


def _package(path: Path) -> list[str]:
    names: list[str] = []
    directory = path.absolute().parent
    while (directory / "__init__.py").is_file():
        names.insert(0, directory.name)
        directory = directory.parent
    return names


def _arguments(made: Module, name: str) -> str:
    """Give what a call of a function has to be given, to be filled in."""
    for node in parsed(made.text).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            given = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
            needed = given[: len(given) - len(node.args.defaults)]
            return ", ".join(f"{argument}=..." for argument in needed)
    return ""


def notebook(cells: Sequence[str]) -> str:
    """Give a notebook of code cells as the text of its file."""
    made: dict[str, Any] = {
        "cells": [
            {
                "cell_type": "code",
                "execution_count": None,
                "id": hashlib.blake2b(f"{n} {cell}".encode(), digest_size=4).hexdigest(),
                "metadata": {},
                "outputs": [],
                "source": cell.splitlines(keepends=True),
            }
            for n, cell in enumerate(cells)
        ],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"
