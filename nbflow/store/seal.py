"""Who wrote what is pickled in a store: signatures by a key that is kept elsewhere.

The key belongs to a user on a machine. It is made when it is first needed, is never in a store,
and only its owner can read it. So a store that comes from elsewhere, or a value that somebody
else wrote into one, is recognised, whatever it says of itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import stat
import sys
import tempfile
import threading
import warnings
from functools import cache
from pathlib import Path
from typing import Final

from nbflow.core.errors import StoreError

_KEY_BYTES: Final = 32
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_making = threading.Lock()


def data_dir() -> Path:
    """Give the directory where this user's nbflow keeps its key.

    ``NBFLOW_DATA_DIR`` if that is set, else where the system keeps data of programs.
    """
    if given := os.environ.get("NBFLOW_DATA_DIR"):
        return Path(given)
    if sys.platform == "win32":  # pragma: no cover - not on this system
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":  # pragma: no cover - not on this system
        base = Path.home() / "Library" / "Application Support"
    else:
        base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "nbflow"


def key() -> bytes:
    """Give the key of this user, made if there is none.

    Where none can be kept, one of this process alone serves, and a warning says so.
    """
    return _key_in(str(data_dir()))


@cache
def _key_in(directory: str) -> bytes:
    path = Path(directory) / "payload.key"
    with _making:
        try:
            return _read(path) or _make(path)
        except OSError as error:
            warnings.warn(
                f"nbflow cannot keep its key in {path} ({error}): values that it pickles now "
                "will not be loaded by later kernels unless you say nbflow.trust(). "
                "NBFLOW_DATA_DIR names another place",
                RuntimeWarning,
                stacklevel=2,
            )
            return secrets.token_bytes(_KEY_BYTES)


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            data = file.read()
    except FileNotFoundError:
        return None
    if len(data) != _KEY_BYTES:
        message = f"{path} is no key of nbflow: move it away, and a new one is made"
        raise StoreError(message)
    if hasattr(os, "getuid") and found.st_uid != os.getuid():
        message = f"{path} belongs to another user: move it away, and a new one is made"
        raise StoreError(message)
    if os.name == "posix" and found.st_mode & _OTHERS:
        path.chmod(0o600)
        warnings.warn(
            f"others could read or write {path}, by which nbflow knows its own pickles; now they "
            "cannot. If they are not to be trusted, delete it and the stores signed by it",
            RuntimeWarning,
            stacklevel=2,
        )
    return data


def _make(path: Path) -> bytes:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = secrets.token_bytes(_KEY_BYTES)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".key-")  # with mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(made)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(name, path)  # whole or not at all, and never over one that is there
        except FileExistsError:
            return _read(path) or made
        except OSError:
            with path.open("xb") as file:  # where there are no links
                path.chmod(0o600)
                file.write(made)
    finally:
        with contextlib.suppress(OSError):
            Path(name).unlink()
    return made


class StoreSeal:
    """Signs and checks the pickled values of one store.

    Args:
        directory: The store's directory.
        files: What in it nobody else may be able to write to; `directory` in any case.

    Example:
        >>> seal = StoreSeal(Path(".nbflow"))
        >>> seal.refusal(b"claim", seal.sign(b"claim"))
        ''
    """

    def __init__(self, directory: Path, files: tuple[Path, ...] = ()) -> None:
        self._path = str(directory)
        self._files = (directory, *files)
        self._open: str | None = None
        self._key = b""
        self._name = ""

    def sign(self, claim: bytes) -> str:
        """See `Seal.sign`: the key's name and the code, in hexadecimal."""
        if not self._key:
            self._take_key()
        return f"{self._name}:{hmac.digest(self._key, claim, 'sha256').hex()}"

    def _take_key(self) -> None:
        self._key = key()
        self._name = _name_of(self._key)

    def refusal(self, claim: bytes, sig: str) -> str:
        """See `Seal.refusal`."""
        try:
            return self.exposed() or self._flaw(claim, sig)
        except StoreError as error:
            return str(error)

    def exposed(self) -> str:
        """Say that others can write to the store, if they can; it is looked at once."""
        if self._open is None:
            self._open = self._writable()
        return self._open

    def _flaw(self, claim: bytes, sig: str) -> str:
        if ":" not in str(sig):  # it comes from the file
            return self._foreign("it is not signed: an older nbflow or somebody else wrote it")
        if not self._key:
            self._take_key()
        whose, _, code = sig.partition(":")
        if whose != self._name:
            return self._foreign("another user signed it, or this one on another machine")
        good = hmac.digest(self._key, claim, "sha256").hex()
        if not hmac.compare_digest(good.encode(), code.encode("utf-8", "replace")):
            return self._foreign("its signature does not fit: it was changed, or moved here")
        return ""

    def _foreign(self, why: str) -> str:
        return (
            f"{why}. Everything else in {self._path} can be read. If you know that nobody but you "
            f"has written to it, say nbflow.trust({self._path!r}) or %nbflow store trust"
        )

    def _writable(self) -> str:
        """Say that others can write to the store, if they can."""
        if os.name != "posix":
            return ""
        for path in self._files:
            with contextlib.suppress(OSError):
                if path.stat().st_mode & _OTHERS_WRITE:
                    return (
                        f"other users can write to {path}, so it may be anybody's. See to it that "
                        f"they cannot (chmod go-w {path}), and open the store again"
                    )
        return ""


def _name_of(made: bytes) -> str:
    return hashlib.blake2b(made, digest_size=4, person=b"nbflow key").hexdigest()
