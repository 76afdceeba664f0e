"""Programs that are fetched once on each machine, and are on the ``PATH`` from then on."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import inspect
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import unquote, urlsplit

from nbflow.core.errors import DefinitionError, ExecutionError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_SCHEMES: Final = ("https", "http", "file", "s3")
_NAME: Final = re.compile(r"\w[\w.+-]*")
_SECONDS: Final = 60.0
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


def binaries(
    sources: Mapping[str, str], *, sha256: Mapping[str, str] | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Have programs fetched before a function runs, and put on the ``PATH``.

    Args:
        sources: By name, where each is: ``https://``, ``http://``, ``file://`` or ``s3://``.
        sha256: By name, the digest that it has to have. Over plain ``http`` one is needed.

    Raises:
        DefinitionError: A name or an address makes no sense.

    Example:
        >>> @nbflow.activity
        ... @nbflow.execute.binaries({"jq": "https://example.org/jq"}, sha256={"jq": "5de8..."})
        ... @nbflow.execute.program("jq")
        ... def jq(query: str, file: str) -> str: ...
    """
    pinned = dict(sha256 or {})
    unknown = set(pinned) - set(sources)
    if unknown:
        message = f"sha256 names {', '.join(sorted(unknown))}, which is not among the binaries"
        raise DefinitionError(message)
    for name, url in sources.items():
        _check(name, url, pinned.get(name))
    given = dict(sources)

    def make(fn: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(fn)

        def call(*args: Any, **kwargs: Any) -> Any:
            for name, url in given.items():
                _on_path(binary(name, url, sha256=pinned.get(name)).parent)
            return fn(*args, **kwargs)

        functools.update_wrapper(call, fn)
        del call.__wrapped__  # type: ignore[attr-defined]
        call.__signature__ = signature  # type: ignore[attr-defined]
        return call

    return make


def binary(name: str, url: str, *, sha256: str | None = None) -> Path:
    """Give the path of a program, fetching it unless this machine has it.

    Processes that need it at once wait for one download. It is kept under ``NBFLOW_BINARIES``, by
    default in the user's cache directory.

    Raises:
        DefinitionError: The name or the address makes no sense.
        ExecutionError: It cannot be had, or is not what it should be.
    """
    _check(name, url, sha256)
    key = hashlib.sha256(f"{url} {sha256 or ''}".encode()).hexdigest()[:16]
    directory = _home() / f"{name}-{key}"
    path = directory / name
    if path.exists():
        return path
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _locked(directory / ".lock"):
        if not path.exists():
            _fetch(url, path, sha256)
    return path


def _home() -> Path:
    given = os.environ.get("NBFLOW_BINARIES")
    if given:
        return Path(given)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "nbflow" / "binaries"


def _check(name: object, url: object, sha256: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        message = f"the name of a binary is letters, digits and . + - _, not {name!r:.60}"
        raise DefinitionError(message)
    scheme = urlsplit(url).scheme if isinstance(url, str) else ""
    if scheme not in _SCHEMES:
        message = f"{name} is fetched from https://, http://, file:// or s3://, not {url!r:.60}"
        raise DefinitionError(message)
    if sha256 is not None and not (isinstance(sha256, str) and _DIGEST.fullmatch(sha256)):
        message = f"the sha256 of {name} is 64 hexadecimal digits, not {sha256!r:.80}"
        raise DefinitionError(message)
    if scheme == "http" and sha256 is None:
        message = f"{name} comes over plain http, where anybody may change it: give its sha256"
        raise DefinitionError(message)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Be the only process of this machine, and the only thread, that fetches something."""
    with path.open("a") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch(url: str, path: Path, sha256: str | None) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        part = Path(file.name)
        try:
            try:
                _copy(url, file)
            except Exception as error:
                message = f"{path.name} cannot be fetched from {url}: {error}"
                raise ExecutionError(message) from error
            file.flush()
            _verify(part, path.name, url, sha256)
            part.chmod(0o755)  # it is a program: whoever may reach the directory may run it
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def _copy(url: str, file: IO[bytes]) -> None:
    parts = urlsplit(url)
    if parts.scheme == "file":
        with Path(unquote(parts.path)).open("rb") as source:
            shutil.copyfileobj(source, file)
    elif parts.scheme == "s3":
        import boto3  # type: ignore[import-untyped,import-not-found,unused-ignore]

        boto3.client("s3").download_fileobj(parts.netloc, parts.path.lstrip("/"), file)
    else:
        from urllib.request import urlopen  # noqa: PLC0415 - only where something is fetched

        with urlopen(url, timeout=_SECONDS) as source:  # noqa: S310 - the scheme was checked
            shutil.copyfileobj(source, file)


def _verify(part: Path, name: str, url: str, sha256: str | None) -> None:
    if sha256 is None:
        return
    with part.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        message = f"{name} from {url} is not what it should be: its sha256 is {found}, not {sha256}"
        raise ExecutionError(message)


def _on_path(directory: Path) -> None:
    before = os.environ.get("PATH", os.defpath)
    if str(directory) not in before.split(os.pathsep):
        os.environ["PATH"] = f"{directory}{os.pathsep}{before}"
