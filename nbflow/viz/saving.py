"""Files that are whole: a picture or a table is written beside its place and then put there."""

from __future__ import annotations

import errno
import gzip
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

Maker = Callable[[], str | bytes]

_TEMP_NAME: Final = ".{}.{}.part"


def save(path: str | os.PathLike[str], makers: Mapping[str, Maker], what: str) -> Path:
    """Write something in the format that the file's name asks for.

    Args:
        path: The file. One that exists is replaced, at once and as a whole.
        makers: What makes the contents, by extension: ``.svg``. The longest that fits is taken,
            and ``.gz`` behind any of them compresses.
        what: What is saved, for messages: ``the graph of revenue``.

    Returns:
        The file.

    Raises:
        ValueError: The extension is none of these; the message lists them.
        OSError: The file could not be written. One that was there is as it was.
    """
    file = Path(path).expanduser()
    name = file.name.lower()
    packed = name.endswith(".gz")
    maker = _chosen(name.removesuffix(".gz"), makers)
    if maker is None:
        ending = f"{file.suffix!r} is not a format of it" if file.suffix else "it has no extension"
        known = " ".join(makers)
        message = f"cannot save {what} as {file.name!r}: {ending}. Formats: {known} (each also .gz)"
        raise ValueError(message)
    _check(file, what)
    made = maker()
    data = made.encode() if isinstance(made, str) else made
    write(file, gzip.compress(data, mtime=0) if packed else data, what)
    return file


def _chosen(name: str, makers: Mapping[str, Maker]) -> Maker | None:
    fitting = [ending for ending in makers if name.endswith(ending) and name != ending]
    return makers[max(fitting, key=len)] if fitting else None


def write(file: Path, data: bytes, what: str) -> None:
    """Write a file as a whole, or not at all.

    Raises:
        OSError: It could not be written. One that was there is as it was.
    """
    _check(file, what)
    try:
        if file.exists() and not file.is_file():  # a device or a pipe takes bytes as they come
            file.write_bytes(data)
        else:
            _replace(file.resolve(), data)
    except OSError as error:
        raise _told(error, file, what) from None


def _check(file: Path, what: str) -> None:
    """Find out what is bound to fail before anything is drawn."""
    if file.is_dir():
        raise _told(OSError(errno.EISDIR, ""), file, what) from None
    if not file.parent.exists():
        raise _told(OSError(errno.ENOENT, ""), file, what) from None


def _replace(file: Path, data: bytes) -> None:
    """Write beside the file, then take its place: a reader sees the old one or the new one."""
    temp = file.with_name(_TEMP_NAME.format(file.name[:80], secrets.token_hex(4)))
    mode = file.stat().st_mode & 0o777 if file.exists() else 0o666
    handle = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        temp.replace(file)
    except BaseException:
        temp.unlink(missing_ok=True)
        raise


def _told(error: OSError, file: Path, what: str) -> OSError:
    """Give the error with what failed, why, and what to do."""
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR:
            why = f"there is no folder {str(file.parent)!r}. Create it, or save elsewhere"
        case errno.EISDIR:
            why = f"{str(file)!r} is a folder. Name a file in it"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            why = f"{str(file.parent)!r} may not be written to. Save elsewhere"
        case errno.ENOSPC | errno.EDQUOT:
            why = f"the disk of {str(file.parent)!r} is full. Make room, or save elsewhere"
        case _:
            why = f"{error.strerror or error}: {str(file)!r}"
    kept = "; the file that was there is as it was" if file.is_file() else ""
    return OSError(error.errno or errno.EIO, f"cannot save {what}: {why}{kept}")
