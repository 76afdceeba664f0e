"""Where values are that are too long for CloudFlow: a directory, or a bucket by fsspec.

CloudFlow takes 64 KiB. What is longer is kept elsewhere, under the digest of its bytes, and what
the service gets is that digest: never an address, so that whoever reads looks only where it was
told to. Beside the values are notes, under names: copies of what the service has, which cost no
request, and signs of attempts.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol

from nbflow.core.digests import digest, fits
from nbflow.core.errors import StoreError
from nbflow.services.cloudflow.client.errors import Invalid
from nbflow.store.blobs import Blobs

_FLAT: Final = frozenset({"s3", "s3a", "oss", "gs", "gcs", "az", "abfs", "abfss", "adl"})
"""What has buckets, and no directories that would have to be there."""
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,160}")


class Values(Protocol):
    """Keeps bytes. Every method may be called from any thread.

    Attributes:
        path: Where, for messages.
    """

    path: str

    def put(self, data: bytes) -> str:
        """Keep bytes and give the digest under which `get` finds them.

        Raises:
            StoreError: They could not be written.
        """

    def get(self, digest: str) -> bytes:
        """Give the bytes of a digest.

        Raises:
            StoreError: They are missing, or are not what they were.
        """

    def note(self, name: str, data: bytes) -> None:
        """Keep bytes under a name, in the place of what was there.

        Raises:
            StoreError: They could not be written.
        """

    def noted(self, name: str) -> bytes | None:
        """Give what is kept under a name; None if there is nothing."""


class DirectoryValues:
    """Values as files of a directory, for machines that share a disk.

    Args:
        directory: It is made, for its owner alone, when the first value is kept.
    """

    def __init__(self, directory: Path) -> None:
        self.path = str(directory)
        self._blobs = Blobs(directory / "blobs", self.path)
        self._notes = directory / "notes"
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, data: bytes) -> str:
        """See `Values.put`."""
        return self._blobs.put(data)

    def get(self, digest: str) -> bytes:
        """See `Values.get`."""
        return self._blobs.get(digest)

    def note(self, name: str, data: bytes) -> None:
        """See `Values.note`; it is whole, but a power cut may take it."""
        target = self._notes / _checked(name)
        fresh = target.with_name(f".{secrets.token_hex(8)}")
        try:
            self._notes.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(fresh, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
                file.write(data)
            fresh.replace(target)
        except OSError as error:
            raise StoreError(f"{name} could not be kept in {self.path}: {error}") from error

    def noted(self, name: str) -> bytes | None:
        """See `Values.noted`."""
        with contextlib.suppress(OSError):
            return (self._notes / _checked(name)).read_bytes()
        return None


class RemoteValues:
    """Values in a bucket, or whatever else fsspec has: ``s3://bucket/prefix``, ``oss://...``.

    Args:
        url: Where. Credentials are found as the library for it finds them.

    Raises:
        Invalid: The library for it is not installed.
    """

    def __init__(self, url: str) -> None:
        kind = url.partition("://")[0]
        try:
            found: tuple[Any, str] = import_module("fsspec.core").url_to_fs(url)
        except (ImportError, ValueError) as error:
            library = {"s3": "s3fs", "oss": "ossfs"}.get(kind, "fsspec")
            raise Invalid(f"values={url!r:.80}: {error}: pip install {library}") from error
        self.path = url
        self._files, root = found
        self._root, self._flat = root.rstrip("/"), kind in _FLAT

    def put(self, data: bytes) -> str:
        """See `Values.put`."""
        name = digest(data)
        self._write(f"blobs/{name}", data)
        return name

    def get(self, digest: str) -> bytes:
        """See `Values.get`."""
        data = self._read(f"blobs/{_checked(digest)}")
        if data is None:
            raise StoreError(f"value {digest} is missing from {self.path}")
        if not fits(digest, data):
            raise StoreError(f"value {digest} in {self.path} is damaged")
        return data

    def note(self, name: str, data: bytes) -> None:
        """See `Values.note`."""
        self._write(f"notes/{_checked(name)}", data)

    def noted(self, name: str) -> bytes | None:
        """See `Values.noted`."""
        return self._read(f"notes/{_checked(name)}")

    def _write(self, name: str, data: bytes) -> None:
        try:
            self._piped(f"{self._root}/{name}", data)
        except Exception as error:  # each library for buckets has errors of its own
            raise StoreError(f"{name} could not be kept in {self.path}: {error}") from error

    def _piped(self, path: str, data: bytes) -> None:
        try:
            self._files.pipe_file(path, data)
        except FileNotFoundError:
            if self._flat:
                raise  # there is no such bucket, and nobody has asked for a new one
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._files.pipe_file(path, data)

    def _read(self, name: str) -> bytes | None:
        try:
            found: bytes = self._files.cat_file(f"{self._root}/{name}")
        except FileNotFoundError:
            return None
        except Exception as error:  # as above
            raise StoreError(f"{name} could not be read from {self.path}: {error}") from error
        return found


def values_of(where: str) -> Values:
    """Give the store of values that a text names: a directory, or an address for fsspec.

    Raises:
        Invalid: The library for it is not installed.
        StoreError: The directory cannot be made.
    """
    if "://" in where:
        return RemoteValues(where)
    try:
        return DirectoryValues(Path(where))
    except OSError as error:
        raise StoreError(f"values cannot be kept in {where}: {error}") from error


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise StoreError(f"{name!r:.60} is no name of a value")
    return name
