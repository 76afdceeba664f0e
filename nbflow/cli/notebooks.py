"""Workflows of notebooks: the cells that define them are run, and no other."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from nbflow.cli.faults import UNKNOWN, USAGE, CommandError
from nbflow.cli.slicing import Part, parts, reached
from nbflow.magics.header import parse

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_OURS: Final = ("activity", "workflow")
_AROUND: Final = ("time", "capture", "timeit")
"""Magics of cells whose body is Python that the notebook goes on with."""
_FORMAT: Final = 4


def notebook_module(path: Path, name: str = "") -> ModuleType:
    """Run the cells of a notebook that its workflows need, and give what they defined.

    Args:
        path: The notebook.
        name: The workflow that is wanted; "" for all of them.

    Raises:
        CommandError: It is no notebook in Python, or a cell fails.
    """
    found = list(_parts(path))
    wanted = {name} if name else set(_workflows(found))
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


def _parts(path: Path) -> Iterator[Part]:
    for number, source in enumerate(cells(path), 1):
        try:
            yield from _of_cell(source, number)
        except SyntaxError as error:
            where = f"{path.name}, cell {number}, line {error.lineno}"
            raise CommandError(f"{where}: {error.msg}", USAGE) from None


def _of_cell(source: str, number: int) -> Iterator[Part]:
    first, _, body = source.lstrip("\n").partition("\n")
    magic, _, line = first[2:].partition(" ") if first.startswith("%%") else ("", "", "")
    if magic in _OURS:
        yield _ours(source, magic, line, body, number)
    elif not magic:
        yield from parts(_plain(source), number)
    elif magic in _AROUND:
        yield from parts(_plain("\n" + body), number)


def _plain(source: str) -> str:
    """Leave out what only IPython understands: line magics, shell commands and questions."""
    kept = []
    for line in source.splitlines():
        word = line.strip()
        special = word.startswith(("%", "!", "?")) or (word.endswith("?") and "#" not in word)
        kept.append("" if special else line)
    return "\n".join(kept)


def _ours(source: str, magic: str, line: str, body: str, number: int) -> Part:
    """Make one part of a cell that our magics make a function of."""
    from IPython.core.error import UsageError

    try:
        header = parse(line)
    except UsageError as error:
        raise SyntaxError(f"%%{magic} {error}", ("", 1, 0, line)) from None
    if not header.name:
        inner = list(parts("\n" + body, number))
        binds = frozenset().union(*(part.binds for part in inner))
        needs = frozenset().union(*(part.needs for part in inner))
        return Part(source, number, 1, binds, needs, frozenset())
    lines = "\n".join("    " + text for text in body.splitlines())
    whole = f"def {header.signature}:\n    pass\n{lines}"
    (function,) = parts(whole, number)
    flags = next(parts(f"({_words(header.flags)})", number), None)
    extra = flags.needs if flags else frozenset()
    return Part(source, number, 1, frozenset({header.name}), function.needs | extra, frozenset())


def _words(flags: str) -> str:
    """Give the words of flags that could be names of the notebook, as a tuple."""
    found = [w for w in flags.replace("=", " ").split() if w.isidentifier()]
    return "".join(f"{word}, " for word in found)


def _workflows(found: list[Part]) -> Iterator[str]:
    for part in found:
        text = part.source.lstrip()
        decorated = text.startswith("@") and "workflow" in text.split("def ")[0]
        a_class = text.startswith("class ") and "Workflow" in text.split(":")[0]
        if text.startswith("%%workflow") or decorated or a_class:
            yield from part.binds
