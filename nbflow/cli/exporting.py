"""Commands that go between notebooks and modules: write one of the other, and check either."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from nbflow.cli.faults import FAILED, UNKNOWN, USAGE, CommandError
from nbflow.cli.options import Screen, common, screen
from nbflow.cli.output import Column, Table

if TYPE_CHECKING:
    from nbflow.magics.source.slicing import Part

# What reads cells needs IPython, which other commands start without.

_TARGET: Final = "TARGET is notebook.ipynb, file.py or module, with :workflow for one of several."


def _read(target: str) -> tuple[Path, list[Part], list[str]]:
    """Give the file that a target names, its parts, and the names that are wanted of it."""
    where, colon, name = target.rpartition(":")
    if not colon or "/" in name or "\\" in name:
        where, name = target, ""
    path = Path(where)
    if path.suffix not in {".ipynb", ".py"}:
        path = _file_of(where)
    if not path.is_file():
        raise CommandError(f"there is no file {path}", UNKNOWN)
    return path.absolute(), _parts(path), [name] if name else []


def _parts(path: Path) -> list[Part]:
    from nbflow.cli import notebooks  # noqa: PLC0415
    from nbflow.magics.source.slicing import parts  # noqa: PLC0415

    if path.suffix == ".ipynb":
        return list(notebooks.parts(path))
    try:
        return list(parts(path.read_text(encoding="utf-8"), 1))
    except SyntaxError as error:
        raise CommandError(f"{path.name}, line {error.lineno}: {error.msg}", USAGE) from None
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {error}", UNKNOWN) from None


def _file_of(module: str) -> Path:
    from nbflow.magics.source.loading import file_of  # noqa: PLC0415

    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    found = file_of(module)
    if found is None:
        raise CommandError(f"there is no module {module!r:.80} in Python. {_TARGET}", UNKNOWN)
    return found


@click.command("export")
@click.argument("target")
@click.option("-o", "--output", metavar="FILE", help="Where to write it; else it is printed.")
@click.option("--tests", metavar="FILE", help="Write a skeleton of tests as well.")
@click.option("--map", "map_file", metavar="FILE", help="Write from which cell each line is.")
@click.option("--force", is_flag=True, help="Also over files that were not written by this.")
@click.option("--no-format", is_flag=True, help="Leave the code as it stands in the cells.")
@common
@screen
def export(
    out: Screen,
    target: str,
    output: str | None,
    tests: str | None,
    map_file: str | None,
    force: bool,  # noqa: FBT001
    no_format: bool,  # noqa: FBT001
) -> None:
    """Write a workflow of a notebook as a plain module.

    It has the activities, helpers, values and imports that the workflow reaches, and nothing
    else. Nothing is run for it. TARGET is notebook.ipynb or file.py, with :workflow for one of
    several. The module runs as a program, too, with the options of nbflow run.
    """
    from nbflow.magics.source import writing  # noqa: PLC0415

    path, found, names = _read(target)
    beside = Path(output).absolute() if output else Path.cwd() / "exported.py"
    done = writing.export(found, names, source=path.name, beside=beside, pretty=not no_format)
    for note in done.notes:
        click.echo(f"nbflow: {note}", err=True)
    written = writing.write_all(done, output, tests=tests, map_file=map_file, force=force)
    if output is None:
        click.echo(done.made.text, nl=False)
    elif out.form in {"json", "jsonl"}:
        out.show(Table((Column("written"),), [(str(file),) for file in written]))
    else:
        out.show(f"wrote {', '.join(map(str, written))}")


@click.command("check")
@click.argument("target")
@click.option("--strict", is_flag=True, help="Ask for annotations everywhere, as mypy --strict.")
@common
@screen
def check(out: Screen, target: str, strict: bool) -> None:  # noqa: FBT001
    """Check the code of a notebook before it is run.

    What ruff and mypy say of its workflows as a module, where they are installed, what is read
    and defined nowhere, and calls whose result does not fit the parameter that it is handed to.
    Places are cells and their lines. Nothing is run. The exit code is 1 if anything was found.
    """
    from nbflow.magics.source.checking import check as checked  # noqa: PLC0415

    path, found, names = _read(target)
    done = checked(found, names, source=path.name, beside=path, strict=strict)
    for note in done.notes:
        click.echo(f"nbflow: {note}", err=True)
    rows = [(one.cell, one.line, one.code, one.text) for one in done.findings]
    if rows or out.form != "table":
        columns = (Column("cell"), Column("line"), Column("code"), Column("text"))
        out.show(Table(columns, rows))
    else:
        out.show(f"nothing to say about {path.name}")
    if rows:
        raise SystemExit(FAILED)


@click.command("load")
@click.argument("target")
@click.option("-o", "--output", metavar="FILE", required=True, help="The notebook to be written.")
@click.option("--force", is_flag=True, help="Also over a notebook that is there.")
@common
@screen
def load(out: Screen, target: str, output: str, force: bool) -> None:  # noqa: FBT001
    """Put a workflow of a module into a new notebook.

    One cell for the imports, one for values, one for each function, and one that runs it. TARGET
    is module:workflow or file.py:workflow.
    """
    from nbflow.magics.source.loading import as_cells, notebook  # noqa: PLC0415

    path, found, names = _read(target)
    cells = as_cells(found, names, path=path)
    file = Path(output)
    if file.exists() and not force:
        raise CommandError(f"{file} exists: add --force", FAILED)
    try:
        file.write_text(notebook(cells), encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error}", FAILED) from None
    out.show(f"wrote {file}, {len(cells)} cells")


COMMANDS: Final = (export, check, load)
"""In the order in which the help lists them."""
