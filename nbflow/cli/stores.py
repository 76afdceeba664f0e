"""Commands for what is kept: results of earlier runs, and the files of a store."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

import nbflow
from nbflow.cli.faults import DONE, FAILED, UNKNOWN, USAGE, CommandError, guarded, leave
from nbflow.cli.options import Screen, common, screen, shown
from nbflow.cli.output import Column, Record, Shown, Table, count_column, seconds_column
from nbflow.cli.spoken import spoken
from nbflow.running.caring import store_directory
from nbflow.running.quantities import age, size
from nbflow.store.account import Account


class Age(click.ParamType[float]):
    """Seconds, as 90s, 30m, 12h or 7d."""

    name = "age"

    def convert(self, value: Any, param: Any, context: Any) -> float:
        """Read it."""
        try:
            return age(str(value))
        except ValueError as error:
            self.fail(str(error), param, context)


class Size(click.ParamType[int]):
    """Bytes, as 500k, 10M or 1G."""

    name = "size"

    def convert(self, value: Any, param: Any, context: Any) -> int:
        """Read it."""
        try:
            return size(str(value))
        except ValueError as error:
            self.fail(str(error), param, context)


@click.group("cache")
def cache() -> None:
    """Results that later runs may be answered by."""


@cache.command("list")
@click.option("--activity", metavar="NAME", help="Those of this activity.")
@common
@shown
def cache_list(activity: str | None) -> Shown:
    """List them, the latest first."""
    now = time.time()
    rows = [
        (r.activity, f"{r.run}/{r.call}", now - r.at, r.run_ns * 1e-9, r.size)
        for r in nbflow.cache.list(activity)
    ]
    head = (
        Column("activity"),
        Column("result of"),
        seconds_column("age"),
        seconds_column("took"),
        count_column("bytes"),
    )
    return Table(head, rows, "nothing is cached")


@cache.command("size")
@common
@shown
def cache_size() -> Shown:
    """Say how many there are, and how large they are."""
    found = nbflow.cache.size()
    return Record((count_column("results"), count_column("bytes")), tuple(found), repr(found))


@cache.command("clear")
@click.option("--activity", metavar="NAME", help="Those of this activity.")
@click.option("--older-than", metavar="AGE", type=Age(), help="Those older than 90s, 30m, 12h, 7d.")
@click.option("--larger-than", metavar="SIZE", type=Size(), help="Those of more than 500k, 10M.")
@click.option("--down-to", metavar="SIZE", type=Size(), help="The oldest, until so much is left.")
@click.option("--all", "every", is_flag=True, help="All of them.")
@click.option("--blobs", is_flag=True, help="Files that nothing refers to any more, too.")
@common
@shown
def cache_clear(
    activity: str | None,
    older_than: float | None,
    larger_than: int | None,
    down_to: int | None,
    every: bool,  # noqa: FBT001
    blobs: bool,  # noqa: FBT001
) -> Shown:
    """Remove some. Runs keep their own results."""
    try:
        return repr(
            nbflow.cache.clear(
                activity,
                older_than=older_than,
                larger_than=larger_than,
                down_to=down_to,
                all=every,
                blobs=blobs,
            )
        )
    except ValueError as error:
        raise CommandError(str(error), USAGE) from None


@click.group("store")
def store() -> None:
    """The file that runs are kept in: check it, mend it, move it."""


def _told(out: Screen, account: Account) -> None:
    """Print what was found, and leave with 1 if something is wrong."""
    names = ("what", "ok", "figures", "problems", "notes")
    found = [[spoken(text) for text in texts] for texts in (account.problems, account.notes)]
    values = (account.what, account.ok, account.figures, *found)
    out.show(Record(tuple(Column(name) for name in names), values, spoken(str(account))))
    leave(DONE if account.ok else FAILED)


_WHERE = click.argument("directory", required=False, metavar="[DIR]")


@store.command("check")
@_WHERE
@common
@screen
def check(out: Screen, directory: str | None) -> None:
    """Read everything in a store and say what is damaged."""
    from nbflow.store import care  # noqa: PLC0415 - loads sqlite3

    _told(out, guarded(lambda: care.check(store_directory(directory))))


@store.command("compact")
@_WHERE
@click.option("--blobs", is_flag=True, help="Delete files that nothing refers to, too.")
@common
@screen
def compact(out: Screen, directory: str | None, blobs: bool) -> None:  # noqa: FBT001
    """Give back to the disk what a store does not need."""
    from nbflow.store import care  # noqa: PLC0415

    _told(out, guarded(lambda: care.compact(store_directory(directory), blobs=blobs)))


@store.command("trust")
@_WHERE
@click.option("--yes", is_flag=True, help="I know where it comes from.")
@common
@screen
def trust(out: Screen, directory: str | None, yes: bool) -> None:  # noqa: FBT001
    """Sign what is pickled in a store as yours, so that it can be loaded."""
    where = store_directory(directory)
    if not yes:
        message = (
            f"trusting {where} means that what is pickled in it is loaded from now on, and that "
            "runs whatever code it holds, with your rights. If nobody but you has written to it: "
            "say --yes"
        )
        raise CommandError(message, USAGE)
    _told(out, guarded(lambda: nbflow.trust(where)))


@store.command("export")
@click.argument("file")
@click.option("--run", metavar="ID", help="This run only.")
@click.option("--pickles", is_flag=True, help="Pickled values as well.")
@common
@screen
def export(out: Screen, file: str, run: str | None, pickles: bool) -> None:  # noqa: FBT001
    """Write runs into a FILE that another store imports."""
    from nbflow.store import care  # noqa: PLC0415

    _told(out, guarded(lambda: care.export(store_directory(), Path(file), run, pickles=pickles)))


@store.command("import")
@click.argument("file")
@common
@screen
def load(out: Screen, file: str) -> None:
    """Take the runs of a FILE that a store has exported."""
    from nbflow.store import care  # noqa: PLC0415

    if not Path(file).exists():
        raise CommandError(f"there is no file {file}: nothing was imported", UNKNOWN)
    _told(out, guarded(lambda: care.load(store_directory(), Path(file))))


@store.command("recover")
@click.argument("new", metavar="NEW-DIR")
@common
@screen
def recover(out: Screen, new: str) -> None:
    """Take what can be read of a damaged store into a new one; the old one stays as it is."""
    from nbflow.store import care  # noqa: PLC0415

    _told(out, guarded(lambda: care.recover(store_directory(), Path(new))))


COMMANDS = (cache, store)
