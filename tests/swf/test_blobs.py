"""Texts that are too long for SWF, and decisions that are too many for a response."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import hypothesis.strategies as st
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from hypothesis import given

import nbflow
from nbflow.core.capture import capture
from nbflow.running.remote import ServiceRun
from nbflow.services.swf import (
    Api,
    CompleteWorkflowExecution,
    Decision,
    Domain,
    Invalid,
    RecordMarker,
    WorkflowDecider,
    WorkflowWorker,
    emulator,
    run_events,
    start_workflow,
)
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
from nbflow.services.swf.errors import SwfError, Unreachable
from nbflow.services.swf.service import SwfService


class Kept(dict[str, bytes]):
    """Blobs in memory."""

    def put(self, data: bytes) -> str:
        self[digest_of(data)] = data
        return digest_of(data)

    def get(self, digest: str, default: Any = None) -> bytes:
        return self[digest]


def s3(url: str) -> Any:
    """A client of S3 as moto has it, over a socket."""
    keys = {"aws_access_key_id": "nobody", "aws_secret_access_key": "nothing"}
    return boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys)


@pytest.fixture(params=["directory", pytest.param("bucket", marks=pytest.mark.slow)])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "directory":
        return Directory(tmp_path / "blobs")
    client = s3(request.getfixturevalue("moto_url"))
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


class Flaky:
    """A store that cannot be had at first, for keeping or for reading."""

    def __init__(self, kept: Kept, *fails: str) -> None:
        self.kept, self.fails = kept, list(fails)

    def put(self, data: bytes) -> str:
        self._may("put")
        return self.kept.put(data)

    def get(self, digest: str) -> bytes:
        self._may("get")
        return self.kept.get(digest)

    def _may(self, what: str) -> None:
        if what in self.fails:
            self.fails.remove(what)
            raise Unreachable("the store cannot be had")


RAN: list[int] = []


@nbflow.activity
def doubled(text: str) -> str:
    RAN.append(len(text))
    return 2 * text


@nbflow.workflow
def growing(size: int) -> str:
    return doubled(doubled("x" * size)).result()


def test_a_store_that_cannot_be_had_for_a_moment_costs_no_result():
    """What a worker is given and what it made are had once it is back; nothing runs twice."""
    RAN.clear()
    kept = Kept()
    with emulator.running(limits=emulator.Limits(poll=0)) as endpoint:
        domain = Domain(api=Api(endpoint.client()), name="flaky", retention=1).save()
        execution = start_workflow(domain, growing, (40_000,), blobs=kept)
        decider = WorkflowDecider(domain, "default", [growing], blobs=kept)
        store = Flaky(kept, "get", "put")
        worker = WorkflowWorker(domain, "default", [doubled], blobs=store)
        while execution.upstream().status == "OPEN":
            assert decider.step_own() or decider.step() or worker.step()
        closed: Any = run_events(execution, blobs=kept)[-1]
    assert closed.status == "completed"
    assert json.loads(closed.result.data) == "x" * 160_000
    assert (store.fails, RAN) == ([], [40_000, 80_000])


def test_a_bucket_that_cannot_be_had_is_tried_again():
    """No answer is an error that actors try again; and no client is made before it is needed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    once = Config(retries={"total_max_attempts": 1}, signature_version=UNSIGNED)
    client = boto3.client("s3", endpoint_url=url, region_name="us-east-1", config=once)
    bucket = Bucket("texts", client=client)
    with pytest.raises(Unreachable, match="could not be kept in bucket texts"):
        bucket.put(b"x")
    with pytest.raises(Unreachable, match="could not be had from bucket texts"):
        bucket.get("0" * 64)
    assert Bucket("texts", profile="nobody has it").name == "texts"


@pytest.mark.slow
def test_a_bucket_that_is_not_there_is_said_at_once(moto_url: str):
    """It is no matter of trying again, and the error names the bucket."""
    with pytest.raises(SwfError, match=r"bucket nowhere: .*NoSuchBucket") as caught:
        Bucket("nowhere", client=s3(moto_url)).put(b"x")
    assert not isinstance(caught.value, Unreachable)
    with pytest.raises(BlobMissing, match="NoSuchBucket"):
        Bucket("nowhere", client=s3(moto_url)).get("0" * 64)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_run_whose_values_are_in_a_bucket(
    moto_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Code, arguments and results go through S3, from process to process, by boto3's own settings.

    The history has references only, and whoever attaches reads through them.
    """
    for name, value in {
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": moto_url,
    }.items():
        monkeypatch.setenv(name, value)
    client = s3(moto_url)
    client.create_bucket(Bucket="runs")
    with emulator.running(limits=emulator.Limits(poll=2)) as endpoint:
        Domain(api=Api(endpoint.client()), name="d", retention=1).save()
        options = {"domain": "d", "endpoint_url": endpoint.url, "blobs": "s3://runs/of/mine"}
        service = SwfService(tmp_path, **options)
        try:
            run: ServiceRun[str] = ServiceRun(
                service.start(capture(growing), (40_000,), {}), service
            )
            assert run.result(90) == "x" * 160_000
            history = list(service.execution(run.id).events())
        finally:
            service.close()
        reader = SwfService(tmp_path / "elsewhere", processes=0, **options)
        assert ServiceRun(reader.attach(run.id, drive=False), reader).result(10) == "x" * 160_000
    texts = [v for e in history for v in e.attributes.values() if isinstance(v, str)]
    assert max(map(len, texts)) <= LIMIT
    assert sum(text.startswith(MARK) for text in texts) >= 5
    keys = [entry["Key"] for entry in client.list_objects_v2(Bucket="runs")["Contents"]]
    assert keys
    assert all(key.startswith("of/mine/") for key in keys)
    assert not list(tmp_path.rglob("blobs"))


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
