"""``nbflow binaries``: programs that activities need, fetched before anything runs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import click

from nbflow.cli.faults import USAGE, CommandError
from nbflow.cli.options import common, shown
from nbflow.cli.output import Column, Shown, Table
from nbflow.core.errors import DefinitionError
from nbflow.execute.fetching import binary

_AT_ONCE: Final = 5


@click.group("binaries")
def binaries() -> None:
    """Fetch programs that activities need."""


def _pairs(given: tuple[str, ...], what: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not (name and equals and value):
            raise CommandError(f"{each!r:.80}: write it as {what}", USAGE)
        if name in found:
            raise CommandError(f"{name!r:.60} is there twice", USAGE)
        found[name] = value
    return found


@binaries.command("download")
@click.argument("sources", nargs=-1, required=True, metavar="NAME=URL...")
@click.option("--sha256", multiple=True, metavar="NAME=DIGEST", help="What one has to be.")
@common
@shown
def download(sources: tuple[str, ...], sha256: tuple[str, ...]) -> Shown:
    """Fetch programs as activities with nbflow.execute.binaries do; print where they are.

    URL begins with https://, http://, file:// or s3://; plain http needs a digest. What is there
    already is not fetched again.
    """
    wanted, digests = _pairs(sources, "NAME=URL"), _pairs(sha256, "NAME=DIGEST")
    unknown = sorted(set(digests) - set(wanted))
    if unknown:
        raise CommandError(f"--sha256 names {', '.join(unknown)}, which is not fetched", USAGE)

    def fetched() -> list[tuple[str, str]]:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            begun = {
                name: pool.submit(binary, name, url, sha256=digests.get(name))
                for name, url in wanted.items()
            }
            return [(name, str(found.result())) for name, found in begun.items()]

    try:
        rows = fetched()
    except DefinitionError as error:
        raise CommandError(str(error), USAGE) from error
    return Table((Column("name"), Column("path")), rows)


COMMANDS = (binaries,)
