"""Queues of Message Service: by its own library, which talks to a server over a socket."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.core.errors import DefinitionError
from nbflow.running.config import settings
from nbflow.services.cloudflow.client.errors import Invalid
from nbflow.services.cloudflow.dynamic.queues import MessageGone, MnsQueue, resource
from nbflow.services.cloudflow.dynamic.service import CloudFlowService
from nbflow.services.cloudflow.emulator.handle import Endpoint, running
from nbflow.services.cloudflow.errors import CloudFlowError
from nbflow.testing import services as contract
from nbflow.testing.checks import eventually
from tests.cloudflow.mns import KEY, SECRET, Mns, serving

pytest.importorskip("mns")
BODY = {"token": "t<&>", "work": {"text": "größer\n"}}


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the keys that the server knows."""
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET)
    monkeypatch.delenv("ALIBABA_CLOUD_SECURITY_TOKEN", raising=False)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    """Have an emulator, whose time stands still."""
    with running(frozen=True) as found:
        yield found


@pytest.fixture(params=[False, True], ids=["as it is", "in base64"])
def mns(endpoint: Endpoint, request: pytest.FixtureRequest) -> Iterator[Mns]:
    """Have a server, whose bodies are as they were sent, or as the library sends them."""
    with serving(endpoint, encoded=request.param) as found:
        yield found


def test_a_message_is_taken_kept_and_removed(endpoint: Endpoint, mns: Mns) -> None:
    """It is hidden from others while it is renewed, handed out again after that, and then gone."""
    queue = MnsQueue(mns.url, "work", hidden=60.0)
    assert queue.receive() is None
    endpoint.send("work", json.dumps(BODY))
    first = queue.receive()
    assert first is not None
    assert (first.body, first.taken) == (BODY, 1)
    endpoint.advance(50)
    kept = queue.renew(first, 60.0)
    assert kept.receipt != first.receipt
    endpoint.advance(50)
    assert queue.receive() is None
    with pytest.raises(MessageGone):
        queue.renew(first)  # a handle is good for one request
    endpoint.advance(11)
    second = queue.receive()
    assert second is not None
    assert (second.body, second.taken) == (BODY, 2)
    for late in (queue.remove, queue.renew):
        with pytest.raises(MessageGone):
            late(kept)
    queue.remove(second)
    with pytest.raises(MessageGone):
        queue.remove(second)
    endpoint.advance(3600)
    assert queue.receive() is None


def test_a_message_is_left_to_others_at_once(endpoint: Endpoint, mns: Mns) -> None:
    """It is hidden for a second at least, which is the shortest time that there is."""
    queue = MnsQueue(mns.url, "work")
    endpoint.send("work", json.dumps(BODY))
    message = queue.receive()
    assert message is not None
    queue.renew(message, 0.0)
    endpoint.advance(2)
    again = queue.receive()
    assert again is not None
    queue.remove(again)


def test_who_waits_for_a_message_holds_nobody_up(endpoint: Endpoint) -> None:
    """While one thread waits for a message, another one keeps what it has."""
    with serving(endpoint) as mns:
        queue = MnsQueue(mns.url, "work")
        endpoint.send("work", json.dumps(BODY))
        message = queue.receive()
        assert message is not None
        found: list[Any] = []
        mns.polling.clear()
        waiting = threading.Thread(target=lambda: found.append(queue.receive(20.0)))
        waiting.start()
        assert mns.polling.wait(60)
        for _ in range(3):
            message = queue.renew(message)
        assert not found
        queue.remove(message)
        endpoint.send("work", json.dumps({"second": True}))
        waiting.join(60)
        assert found[0].body == {"second": True}
        queue.remove(found[0])


def test_what_goes_wrong_is_said(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Queues that are not there, keys that are no good and addresses that are none are named."""
    with serving(endpoint) as mns:
        with pytest.raises(CloudFlowError, match=r"nowhere: QueueNotExist.*Create it"):
            MnsQueue(mns.url, "nowhere").receive()
        with pytest.raises(Invalid, match="is no address"):
            MnsQueue(mns.url.removeprefix("http://"), "work")
        monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "another")
        with pytest.raises(CloudFlowError, match="queue work: SignatureDoesNotMatch"):
            MnsQueue(mns.url, "work").receive()
    with pytest.raises(CloudFlowError, match="queue work: NetWorkException"):
        MnsQueue(mns.url, "work").receive()
    monkeypatch.delenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET")
    with pytest.raises(Invalid, match="ALIBABA_CLOUD_ACCESS_KEY_SECRET"):
        MnsQueue(mns.url, "work")
    monkeypatch.setitem(sys.modules, "mns.account", None)
    with pytest.raises(Invalid, match=r"jupyter-nbflow\[cloudflow\]"):
        MnsQueue(mns.url, "work")


def test_a_message_of_somebody_else_is_empty(endpoint: Endpoint) -> None:
    """What is no JSON object is taken as a message that says nothing, to be removed."""
    with serving(endpoint) as mns:
        queue = MnsQueue(mns.url, "work")
        for text in ("hello", "[1]", "aGVsbG8="):
            endpoint.send("work", text)
            message = queue.receive()
            assert message is not None
            assert message.body == {}
            queue.remove(message)


def test_queues_of_an_account_have_to_be_named(tmp_path: Path) -> None:
    """A run's own queues would not be there: that is said before anything starts."""
    where = "https://1234.mns.cn-hangzhou.aliyuncs.com"
    service = CloudFlowService(tmp_path, mns=where, region="cn-hangzhou")
    with pytest.raises(DefinitionError, match="queue="):
        service.options.check_start()
    CloudFlowService(tmp_path, mns=where, queue="work").options.check_start()
    assert resource("work", where) == "acs:mns:cn-hangzhou:1234:/queues/work/messages"


@pytest.fixture
def configured(tmp_path: Path) -> Iterator[None]:
    """Leave what is configured as it was."""
    before = settings.on, settings.options, settings.store
    nbflow.configure(store=tmp_path / "home")
    yield
    settings.close()
    settings.on, settings.options, settings.store = before


@pytest.mark.timeout(180)
@pytest.mark.usefixtures("configured")
def test_a_run_goes_by_queues_of_message_service(tmp_path: Path) -> None:
    """An orchestrator and a worker, each a process, take, keep and remove by the library."""
    with running() as endpoint, serving(endpoint) as mns:
        options: Any = {"mns": mns.url, "queue": "work", "values": tmp_path / "values"}
        flow = contract.doubling.on(
            "cloudflow", endpoint=endpoint.url, processes=1, pace=0.05, reports=0, **options
        )
        run = flow.start([1, 2], last=3)
        assert run.result(120) == {"sum": "2+4", "last": 3}
        eventually(lambda: mns.asked["DELETE"] >= 4, "all messages are removed", 60)
        assert mns.asked["PUT"] >= 4
        assert set(mns.asked) <= {"GET", "PUT", "DELETE", "MessageNotExist"}
