"""Rows of a log in SQLite, and the events in them: a long log is read page by page."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from nbflow.core.errors import StoreUnusable
from nbflow.core.events import Event
from nbflow.core.eventtext import decode
from nbflow.core.seals import Seal
from nbflow.store.schema import checksum

_PAGE_CHARS: Final = 256 * 1024


def page_of(rows: Iterable[tuple[int, str, int | None]]) -> list[tuple[int, str, int | None]]:
    """Take rows until they are a page."""
    page, size = [], 0
    for row in rows:
        page.append(row)
        size += len(row[1])
        if size > _PAGE_CHARS:
            break
    return page


def decoded(run: str, text: str, found: int | None, seal: Seal | None, file: Path) -> list[Event]:
    """Read the events of a row of the log.

    Args:
        run: Whose log it is.
        text: The row's text.
        found: The checksum that was written with it, if there was one.
        seal: Checks the signatures of what is pickled.
        file: Where it was read from, for the message.

    Raises:
        StoreUnusable: It is damaged.
    """
    try:
        if found is not None and found != checksum(text):
            message = "its bytes are not those that were written"
            raise ValueError(message)  # noqa: TRY301 - as what the decoder finds
        return list(decode(text, run, seal))
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        message = (
            f"the log of run {run} in {file} is damaged: {type(error).__name__}: {error}."
            " %nbflow store check says how far, %nbflow store recover saves what can be read"
        )
        raise StoreUnusable(message) from error
