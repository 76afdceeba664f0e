"""Where texts go that are too long for SWF, under the digest of their bytes.

SWF takes texts of 32,768 characters. A longer one is kept elsewhere, once for each content, and
what SWF gets is a reference: a digest and a length. Never an address: where the bytes are looked
for is what whoever reads was told to trust, not what a history says.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import Any, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from nbflow.services.swf.errors import Invalid, SwfError, Unreachable

LIMIT: Final = 32_768
"""Characters of an input, result, control or details."""
MARK: Final = "nbflow+blob:"
_REFERENCE: Final = re.compile(re.escape(MARK) + r"([0-9a-f]{64}) (\d+)")
_FAULTS: Final = 500
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class BlobMissing(SwfError, LookupError):
    """A text is not where it was kept, or is not what it was."""


class Blobs(Protocol):
    """Keeps bytes under their SHA-256 digests. Anybody's store with these two will do."""

    def put(self, data: bytes) -> str:
        """Keep bytes and give their digest. Once more is no error."""

    def get(self, digest: str) -> bytes:
        """Give the bytes of a digest.

        Raises:
            BlobMissing: They are not there.
        """


def digest_of(data: bytes) -> str:
    """Give the name that bytes are kept under."""
    return hashlib.sha256(data).hexdigest()


class Directory:
    """Keeps bytes as files of a directory, for workers that share a disk.

    Args:
        path: The directory. It is made, for its owner alone, if it is not there.

    Example:
        >>> blobs = Directory(tempfile.mkdtemp())
        >>> blobs.get(blobs.put(b"some bytes"))
        b'some bytes'
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, data: bytes) -> str:
        """Keep bytes and give their digest; they are on the disk when this returns."""
        digest = digest_of(data)
        target = self._file(digest)
        if target.exists():
            return digest
        target.parent.mkdir(mode=0o700, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(target)
        return digest

    def get(self, digest: str) -> bytes:
        """Give the bytes of a digest."""
        try:
            return self._file(digest).read_bytes()
        except FileNotFoundError:
            raise BlobMissing(f"no text {digest} is kept in {self.path}") from None

    def _file(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise BlobMissing(f"{digest!r} is no digest")
        return self.path / digest[:2] / digest


class Bucket:
    """Keeps bytes as objects of an S3 bucket.

    Args:
        name: Of the bucket. It has to be there.
        prefix: What the names of the objects begin with.
        client: A boto3 client for S3; by default one of boto3's own configuration, which is made
            when it is first needed.
        region: For that client; by default the one of boto3's configuration.
        profile: For that client; a profile of the shared configuration of AWS.

    Example:
        ``swf.Bucket("analytics", "nbflow/", profile="reports")``

    Source:
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
    """

    def __init__(
        self,
        name: str,
        prefix: str = "nbflow/",
        client: Any = None,
        *,
        region: str | None = None,
        profile: str | None = None,
    ) -> None:
        self.name, self.prefix = name, prefix
        self._client, self._session = client, {"region_name": region, "profile_name": profile}

    @property
    def client(self) -> Any:
        """The boto3 client."""
        if self._client is None:
            import boto3  # noqa: PLC0415 - making a client reads configuration

            self._client = boto3.Session(**self._session).client("s3")
        return self._client

    def put(self, data: bytes) -> str:
        """Keep bytes and give their digest.

        Raises:
            Unreachable: S3 gave no answer, or has a fault of its own; it may be tried again.
            SwfError: S3 refuses.
        """
        digest = digest_of(data)
        try:
            self.client.put_object(Bucket=self.name, Key=self.prefix + digest, Body=data)
        except (BotoCoreError, ClientError) as error:
            raise _of_s3(f"a text could not be kept in bucket {self.name}", error) from error
        return digest

    def get(self, digest: str) -> bytes:
        """Give the bytes of a digest.

        Raises:
            BlobMissing: They are not there, or may not be had.
            Unreachable: S3 gave no answer, or has a fault of its own; it may be tried again.
        """
        try:
            answer = self.client.get_object(Bucket=self.name, Key=self.prefix + digest)
            data: bytes = answer["Body"].read()
        except (BotoCoreError, ClientError) as error:
            said = f"text {digest} could not be had from bucket {self.name}"
            raise _of_s3(said, error, BlobMissing) from error
        return data


def _of_s3(said: str, error: Exception, kind: type[SwfError] = SwfError) -> SwfError:
    """Make the error of one of S3's: whether it may be tried again, the kind says."""
    answer = error.response if isinstance(error, ClientError) else {}
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    again = isinstance(error, HTTPClientError | NoConnection) or status >= _FAULTS
    return (Unreachable if again else kind)(f"{said}: {error}")


def stowed(text: str, blobs: Blobs | None, most: int = LIMIT) -> str:
    """Give what SWF gets for a text: itself, or a reference if it is too long.

    A text that looks like a reference is kept, too, however short.

    Raises:
        Invalid: It is too long, and there is nowhere to keep it.
    """
    if len(text) <= most and not text.startswith(MARK):
        return text
    if blobs is None:
        raise Invalid(
            f"a text of {len(text)} characters is too long for SWF, which takes {most}, and there "
            "is nowhere to keep it: give a Directory or a Bucket as blobs"
        )
    data = text.encode("utf-8", "surrogatepass")
    return f"{MARK}{blobs.put(data)} {len(data)}"


def fetched(text: str, blobs: Blobs | None) -> str:
    """Give a text that SWF had, itself or by reference.

    Raises:
        BlobMissing: It is not where it was kept, is not what it was, or nobody said where to look.
    """
    found = _REFERENCE.fullmatch(text)
    if found is None:
        return text
    digest, length = found[1], int(found[2])
    if blobs is None:
        raise BlobMissing(f"text {digest} is kept elsewhere: give the Directory or Bucket as blobs")
    data = blobs.get(digest)
    if len(data) != length or digest_of(data) != digest:
        raise BlobMissing(f"text {digest} is not what it was: {len(data)} bytes, not {length}")
    return data.decode("utf-8", "surrogatepass")
