"""``%nbflow export``, ``check`` and ``load``: between the cells of this kernel and modules."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from nbflow.magics.notices import say
from nbflow.magics.source.cells import parts_of
from nbflow.magics.source.checking import check
from nbflow.magics.source.loading import as_cells, file_of
from nbflow.magics.source.slicing import Part, parts
from nbflow.magics.source.writing import export, write_all
from nbflow.magics.stopped import carried_out
from nbflow.magics.tables import Table

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_SOURCE = "a notebook"


def executed(shell: InteractiveShell) -> Iterator[Part]:
    """Give the parts of the cells of this kernel, in the order in which they were run.

    Their numbers are those in the brackets beside them. What is no Python has not run, nor has
    what raised, and what stands below it in its cell.
    """
    manager: Any = shell.history_manager
    cells = manager.input_hist_raw if manager is not None else shell.user_ns.get("In", [])
    for number, source in enumerate(cells):
        try:
            yield from carried_out(shell, parts_of(source, number), number)
        except SyntaxError:
            continue


def do_export(shell: InteractiveShell, names: str, flags: argparse.Namespace) -> None:
    """Write workflows of this notebook as a module, or give its text."""
    beside = Path(flags.output or "exported.py").absolute()
    cells, pretty = list(executed(shell)), not flags.no_format
    done = export(cells, names.split(), source=_SOURCE, beside=beside, pretty=pretty)
    for note in done.notes:
        say(note)
    if not flags.output:
        print(done.made.text, end="")  # noqa: T201 - for the cell
    written = write_all(
        done, flags.output, tests=flags.tests, map_file=flags.map_file, force=flags.force
    )
    if written:
        importlib.invalidate_caches()  # the next cell may import it
        say(f"wrote {', '.join(map(str, written))}")


def do_check(shell: InteractiveShell, text: str, flags: argparse.Namespace) -> Table:
    """Check workflows of this notebook."""
    beside = Path("notebook.ipynb").absolute()
    done = check(
        list(executed(shell)), text.split(), source=_SOURCE, beside=beside, strict=flags.strict
    )
    for note in done.notes:
        say(note)
    rows = [(f"In[{one.cell}]", str(one.line), one.code, one.text) for one in done.findings]
    return Table(("cell", "line", "code", "text"), rows, "nothing to say about this notebook")


def do_load(shell: InteractiveShell, text: str, _: argparse.Namespace) -> None:
    """Put a workflow of a module into the next cell.

    Raises:
        UsageError: There is no such module.
    """
    where, _colon, name = text.partition(":")
    if not where:
        raise UsageError("which workflow? %nbflow load module:workflow, or file.py:workflow")
    path = Path(where) if where.endswith(".py") else file_of(where)
    if path is None:
        message = f"there is no module {where!r:.80} in this directory, nor on sys.path"
        raise UsageError(f"{message}. A file is named with its ending: {where:.80}.py")
    try:
        found = list(parts(path.read_text(encoding="utf-8"), 1))
    except (OSError, UnicodeDecodeError, SyntaxError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
    cells = as_cells(found, [name] if name else [], path=path)
    code = [cell.removeprefix("%load_ext nbflow\n") for cell in cells[:-1]]
    whole: Any = shell
    whole.set_next_input("\n\n\n".join(code), replace=False)
    say(f"the next cell has {text}: run it, then {cells[-1]}")
