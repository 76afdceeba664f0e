"""Workflows of notebooks: the cells that define them are run, and no other."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from nbflow.cli.faults import UNKNOWN, USAGE, CommandError
from nbflow.magics.source.cells import parts_of, workflows
from nbflow.magics.source.slicing import Part, reached

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_FORMAT: Final = 4


def notebook_module(path: Path, name: str = "") -> ModuleType:
    """Run the cells of a notebook that its workflows need, and give what they defined.

    Args:
        path: The notebook.
        name: The workflow that is wanted; "" for all of them.

    Raises:
        CommandError: It is no notebook in Python, or a cell fails.
    """
    found = list(parts(path))
    wanted = {name} if name else set(workflows(found))
    shell = _shell(path)
    for part in reached(found, wanted):
        shell.user_ns["__file__"] = str(path)
        ran: Any = shell.run_cell(part.source)  # type: ignore[no-untyped-call]
        error = ran.error_before_exec or ran.error_in_exec
        if error is not None:
            what = f"{path.name}, cell {part.cell}, line {part.line + _line_of(error)}"
            raise CommandError(f"{what}: {type(error).__name__}: {error}", UNKNOWN) from error
    module = ModuleType("__main__")
    vars(module).update(shell.user_ns)
    return module


def _line_of(error: BaseException) -> int:
    if isinstance(error, SyntaxError):
        return (error.lineno or 1) - 1
    last = 0
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.startswith(("<ipython-input", "/tmp/ipykernel")):  # noqa: S108 - IPython's name for a cell
            last = trace.tb_lineno - 1
        trace = trace.tb_next
    return last


def _shell(path: Path) -> InteractiveShell:
    """Give a shell with nbflow in it, in which nobody waits for runs of cells."""
    from IPython.core.interactiveshell import InteractiveShell

    sys.path.insert(0, str(path.parent))
    shell: Any = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "nbflow")
    return shell  # type: ignore[no-any-return]


def cells(path: Path) -> list[str]:
    """Give the sources of a notebook's code cells.

    Raises:
        CommandError: It cannot be read.
    """
    try:
        book = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error}", UNKNOWN) from None
    except ValueError as error:
        raise CommandError(f"{path} is no notebook: {error}", USAGE) from None
    if not isinstance(book, dict) or not isinstance(book.get("cells"), list):
        old = isinstance(book, dict) and book.get("nbformat", _FORMAT) < _FORMAT
        hint = f": jupyter nbconvert --to notebook --nbformat 4 {path}" if old else ""
        what = "is a notebook of an old format" if old else "is no notebook"
        raise CommandError(f"{path} {what}{hint}", USAGE)
    language = book.get("metadata", {}).get("kernelspec", {}).get("language", "python")
    if language != "python":
        raise CommandError(f"{path} is a notebook in {language}, not in Python", USAGE)
    return [
        source if isinstance(source, str) else "".join(source)
        for cell in book["cells"]
        if cell.get("cell_type") == "code" and (source := cell.get("source")) is not None
    ]


def parts(path: Path) -> Iterator[Part]:
    """Take all cells of a notebook apart.

    Raises:
        CommandError: It is no notebook in Python, or a cell is no Python.
    """
    for number, source in enumerate(cells(path), 1):
        try:
            yield from parts_of(source, number)
        except SyntaxError as error:
            where = f"{path.name}, cell {number}, line {error.lineno}"
            raise CommandError(f"{where}: {error.msg}", USAGE) from None
