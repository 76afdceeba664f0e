"""Texts that are too long for SWF, and decisions that are too many for a response."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import hypothesis.strategies as st
import pytest
from hypothesis import given

from nbflow.services.swf import CompleteWorkflowExecution, Decision, Invalid, RecordMarker
from nbflow.services.swf.batches import MORE, batch, checked, wire_length
from nbflow.services.swf.blobs import (
    LIMIT,
    MARK,
    BlobMissing,
    Blobs,
    Bucket,
    Directory,
    digest_of,
    fetched,
    stowed,
)


class Kept(dict[str, bytes]):
    """Blobs in memory."""

    def put(self, data: bytes) -> str:
        self[digest_of(data)] = data
        return digest_of(data)

    def get(self, digest: str, default: Any = None) -> bytes:
        return self[digest]


@pytest.fixture(params=["directory", pytest.param("bucket", marks=pytest.mark.slow)])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "directory":
        return Directory(tmp_path / "blobs")
    url = request.getfixturevalue("moto_url")
    keys = {"aws_access_key_id": "nobody", "aws_secret_access_key": "nothing"}
    client = boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys)
    client.create_bucket(Bucket="texts")
    return Bucket("texts", client=client)


def test_long_texts_are_kept_once_and_come_back(blobs: Blobs):
    """A long text becomes a reference, the same for the same text, and comes back as it was."""
    text = "\N{SNOWMAN} and so on " * 10_000
    reference = stowed(text, blobs)
    assert reference.startswith(MARK)
    assert len(reference) < 100
    assert stowed(text, blobs) == reference
    assert fetched(reference, blobs) == text
    with pytest.raises(BlobMissing):
        fetched(f"{MARK}{'0' * 64} 5", blobs)


@given(st.text(max_size=60) | st.text(max_size=20).map(MARK.__add__), st.integers(0, 40))
def test_any_text_comes_back(text: str, most: int):
    """Whatever a text is, even one that looks like a reference, what comes back is the text."""
    kept = Kept()
    written = stowed(text, kept, most)
    assert fetched(written, kept) == text
    assert written == text or written.startswith(MARK)


def test_texts_that_fit_stay_where_they_are():
    """Up to the limit a text needs no place to be kept; beyond it, it needs one."""
    assert stowed("x" * LIMIT, None) == "x" * LIMIT
    with pytest.raises(Invalid, match="give a Directory or a Bucket as blobs"):
        stowed("x" * (LIMIT + 1), None)
    with pytest.raises(BlobMissing, match="give the Directory or Bucket as blobs"):
        fetched(f"{MARK}{'0' * 64} 5", None)


def test_a_text_that_was_changed_is_refused(tmp_path: Path):
    """What is read back has to be what was kept, in length and in content."""
    blobs = Directory(tmp_path)
    reference = stowed("x" * 40_000, blobs)
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    file.write_bytes(b"y" * 40_000)
    with pytest.raises(BlobMissing, match="is not what it was"):
        fetched(reference, blobs)


def test_a_reference_leads_nowhere_else(tmp_path: Path):
    """A digest is no path: what is not one is not looked for."""
    blobs = Directory(tmp_path)
    with pytest.raises(BlobMissing, match="is no digest"):
        blobs.get("../../etc/passwd")
    assert fetched(f"{MARK}../x 5", blobs) == f"{MARK}../x 5"


def test_many_may_keep_the_same_text_at_once(tmp_path: Path):
    """Writers of one text do not disturb each other, and leave one file."""
    blobs, data = Directory(tmp_path), b"z" * 100_000
    threads = [threading.Thread(target=blobs.put, args=(data,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert blobs.get(digest_of(data)) == data
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [digest_of(data)]


def responses(decisions: list[Decision], **limits: int) -> Iterator[list[Decision]]:
    """Give response after response until no decision is left over."""
    while decisions:
        now, decisions = batch(decisions, **limits)
        yield now


@given(st.lists(st.integers(0, 3000), max_size=40), st.integers(2, 12), st.integers(400, 5000))
def test_every_decision_goes_out_once_in_order(lengths: list[int], most: int, size: int):
    """No response has too many or too much; each but the last brings another."""
    markers: list[Decision] = [
        RecordMarker(marker_name=f"m{n}", details="x" * length) for n, length in enumerate(lengths)
    ]
    closing = CompleteWorkflowExecution(result="r")
    found = list(responses([closing, *markers], most=most, size=size))
    for response in found:
        assert len(response) <= most
        own = [d for d in response if getattr(d, "timer_id", "") != MORE]
        assert sum(map(wire_length, own)) <= size or len(own) == 1
        checked(response)
    assert all(getattr(response[-1], "timer_id", "") == MORE for response in found[:-1])
    sent = [d for response in found for d in response if getattr(d, "timer_id", "") != MORE]
    assert sent == [*markers, closing]


def test_a_full_response_needs_no_timer():
    """As many decisions as fit are one response, without a timer for more."""
    markers: list[Decision] = [RecordMarker(marker_name=f"m{n}") for n in range(100)]
    assert batch(markers) == (markers, [])
    now, later = batch([*markers, *markers])
    assert (len(now), len(later)) == (100, 101)
