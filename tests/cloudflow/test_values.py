"""Where large values are: a directory, or whatever fsspec has; all do the same."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nbflow.core.capture import capture
from nbflow.core.errors import StoreError
from nbflow.core.events import RunClosed
from nbflow.services.cloudflow.client.errors import Invalid
from nbflow.services.cloudflow.dynamic.values import (
    DirectoryValues,
    RemoteValues,
    Values,
    values_of,
)
from nbflow.testing.checks import eventually
from tests.cloudflow.crews import site
from tests.cloudflow.test_runs import bulky

pytest.importorskip("fsspec")
PLACES = ["directory", "file", "memory", "s3"]


@pytest.fixture(params=PLACES)
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the address of a place that is empty, and need not be there."""
    name = f"bucket-{secrets.token_hex(4)}"
    match request.param:
        case "directory":
            yield str(tmp_path / "new" / name)
        case "file":
            yield f"file://{tmp_path}/new/{name}"
        case "memory":
            yield f"memory://{name}/prefix"
        case _:
            yield from bucket(name)


def bucket(name: str) -> Iterator[str]:
    """Have a bucket on moto's server, where s3fs is installed."""
    s3fs = pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem().mkdir(name)
        yield f"s3://{name}/prefix/"
        s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def test_what_was_kept_is_found_by_its_digest(where: str) -> None:
    """Bytes come back whole, from wherever they are read; the same ones have one digest."""
    values: Values = values_of(where)
    data = [b"", b"x", secrets.token_bytes(300_000)]
    digests = [values.put(each) for each in data]
    assert [values_of(where).get(digest) for digest in digests] == data
    assert values.put(data[2]) == digests[2]
    assert len(set(digests)) == 3


def test_notes_stand_under_their_names(where: str) -> None:
    """The latest counts; of none that is not there anything is said."""
    values: Values = values_of(where)
    assert values.noted("b-one") is None
    for said in (b"first", b"second, and longer", b""):
        values.note("b-one", said)
        assert values_of(where).noted("b-one") == said
    assert values.noted("b-two") is None


def test_what_is_missing_and_what_is_no_name_is_said(where: str) -> None:
    """A value that is gone is an error; what is no name of a note is neither kept nor read."""
    values: Values = values_of(where)
    with pytest.raises(StoreError, match="missing"):
        values.get("0" * 40)
    for name in ("../up", "a/b", "", "x" * 161):
        with pytest.raises(StoreError):
            values.note(name, b"")
        with pytest.raises(StoreError):
            values.noted(name)


def test_a_value_that_was_changed_is_refused(tmp_path: Path) -> None:
    """What is read has the digest that it is asked for by."""
    values = values_of(f"file://{tmp_path}")
    digest = values.put(b"whole")
    next(tmp_path.rglob(digest)).write_bytes(b"other")
    with pytest.raises(StoreError, match="damaged"):
        values.get(digest)


def test_what_cannot_be_kept_is_said(tmp_path: Path) -> None:
    """A place that is none, a library that is not there, and a disk that refuses are named."""
    (tmp_path / "file").write_text("")
    for where in (str(tmp_path / "file"), f"file://{tmp_path}/file/below"):
        with pytest.raises(StoreError, match="kept"):
            values_of(where).put(b"x")
    with pytest.raises(Invalid, match="values='nothing://a/b'"):
        values_of("nothing://a/b")


@pytest.mark.parametrize("where", ["s3"], indirect=True)
def test_a_bucket_that_is_not_there_is_not_made(where: str) -> None:
    """A name that is misspelled is an error, and nobody pays for a bucket that nobody wanted."""
    other = where.replace("bucket-", "bukcet-")
    for _ in range(2):
        with pytest.raises(StoreError, match="could not be kept"):
            values_of(other).put(b"x")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("where", PLACES[1:], indirect=True)
def test_a_run_has_its_large_values_there(where: str, tmp_path: Path) -> None:
    """Code, results over 64 KiB and copies of the log stand in the place that a run names."""
    with site(tmp_path / "site", workers=1, values=where) as found:
        service = found.service(tmp_path / "home")
        assert isinstance(service.side().values, RemoteValues)
        assert not isinstance(service.side().values, DirectoryValues)
        run = service.start(capture(bulky), (200_000,), {})
        eventually(lambda: isinstance([*service.events(run)][-1], RunClosed), "it ends", 60)
        last: Any = [*service.events(run)][-1]
        assert (last.status, last.result) == ("completed", 200_000), last.error
        assert service.side().values.noted(f"{run.split('/')[2]}-e1") is not None
