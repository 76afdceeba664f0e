"""The client: what it sends is what the service's own library sends; what it refuses; waiting."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import pickle
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

pytest.importorskip("alibabacloud_fnf20190315")

from hypothesis import given
from hypothesis import strategies as st

from nbflow.services.cloudflow import FlowDefinition, emulator
from nbflow.services.cloudflow.client import (
    AlreadyExists,
    CloudFlow,
    Denied,
    DoesNotExist,
    Invalid,
    NotOver,
    Refused,
    TaskOver,
    Throttled,
    Unreachable,
    checks,
    requests,
)
from nbflow.services.cloudflow.client.answers import wire_name
from nbflow.services.cloudflow.client.base import parsed
from nbflow.services.loopback import Answered, Reply, Request, in_thread
from tests.cloudflow.calls import DOUBLED, FLOW, double, snake

KEYS = ("ACCESS_KEY_ID", "ACCESS_KEY_SECRET", "SECURITY_TOKEN", "REGION_ID")
SIGNING = {"Timestamp", "Signature", "SignatureNonce"}
EACH = {
    "name": "order",
    "flow_name": "order",
    "execution_name": "o-1",
    "schedule_name": "daily",
    "definition": FLOW,
    "type": "FDL",
    "execution_mode": "Express",
    "environment": {"A": "b"},
    "routing_configurations": {"1": 90, "2": 10},
    "cron_expression": "0 30 9 * * *",
    "payload": '{"n":1}',
    "input": '{"n":1}',
    "output": '{"n":"ü & ="}',
    "enable": True,
    "metadata_only": False,
    "limit": 7,
    "wait_time_seconds": 0,
    "status": "Running",
    "started_time_begin": "2026-01-01T00:00:00Z",
    "started_time_end": "2026-01-02T00:00:00Z",
    "concurrency": 3,
    "tolerated_failed_count": 1,
    "tolerated_failed_percentage": 1.5,
}


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in (*(f"ALIBABA_CLOUD_{key}" for key in KEYS), "NBFLOW_CLOUDFLOW_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


class Recorder:
    """Answers everything with one answer, and keeps what it was sent."""

    most = 1 << 20

    def __init__(self, answer: bytes = b'{"RequestId":"R"}', status: int = 200) -> None:
        self.answer, self.status = answer, status
        self.sent: list[Request] = []

    def begin(self) -> None: ...

    def stop(self) -> None: ...

    def refusal(self, status: int, message: str) -> Reply:
        return Reply(status, message.encode())

    def handle(self, request: Request, answered: Answered) -> None:
        self.sent.append(request)
        answered(Reply(self.status, self.answer, (("Content-Type", "application/json"),)))


def taken(request: Request) -> tuple:
    query = dict(parse_qsl(request.target.partition("?")[2], keep_blank_values=True))
    form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    query = {name: value for name, value in query.items() if name not in SIGNING}
    return request.method, query, form


def of_the_library(operation: str, values: dict):
    from alibabacloud_fnf20190315 import models

    wire = {wire_name(name): value for name, value in values.items()}
    if "Environment" in wire:
        pair = {"Name": "A", "Value": "b"}
        wire["Environment"] = {"Variables": [pair]}
    if "RoutingConfigurations" in wire:
        wire["RoutingConfigurations"] = [
            {"Version": "1", "Weight": 90},
            {"Version": "2", "Weight": 10},
        ]
    return getattr(models, f"{operation}Request")().from_map(wire)


@pytest.mark.parametrize("operation", sorted(requests.OPERATIONS))
def test_what_is_sent_is_what_the_library_sends(operation: str):
    """Method, address and form are equal for every field of every operation's model."""
    from alibabacloud_fnf20190315.client import Client
    from alibabacloud_tea_openapi.utils_models import Config

    kind = requests.OPERATIONS[operation]
    names = [f.name for f in dataclasses.fields(kind)]  # type: ignore[arg-type]
    values = {name: EACH.get(name, "text") for name in names}
    recorder = Recorder()
    with in_thread(recorder, 0, "recorder") as url:
        keys = {"access_key_id": "emulator", "access_key_secret": "emulator"}
        library = Client(Config(**keys, endpoint=url.rpartition("/")[2], protocol="HTTP"))
        theirs = of_the_library(operation, values)
        getattr(library, snake(operation))(theirs)
        CloudFlow(url).send(kind(**values))
    known = set(vars(theirs)) - {"signature_version"}
    assert known == set(names), "the library's model has other fields"
    assert taken(recorder.sent[1]) == taken(recorder.sent[0])


def test_every_operation_is_a_method_in_both_ways():
    """The methods have the names of the library's, and its way of saying async."""
    for operation in requests.OPERATIONS:
        assert hasattr(CloudFlow, snake(operation))
        assert hasattr(CloudFlow, f"{snake(operation)}_async")


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (requests.DescribeFlow("1st"), "name: '1st' is no name"),
        (requests.DescribeFlow(None), "name is needed"),  # type: ignore[arg-type]
        (requests.CreateFlow("f", " "), "definition: a definition is YAML"),
        (requests.CreateFlow("f", "x" * 1_048_577), "may have 1,048,576"),
        (requests.StartExecution("f", input="{"), "input: the text is no JSON"),
        (requests.StartExecution("f", input={"a": object()}), "input: it is not plain data"),
        (requests.StartExecution("f", input={"a": "x" * 65_536}), "may have 65,536"),
        (requests.StartExecution("f", input={"a": float("nan")}), "plain data that JSON has"),
        (requests.DescribeExecution("f", "e", 61), "61 is not within 0 to 60"),
        (requests.ListExecutions("f", limit=100), "100 is not within 1 to 99"),
        (requests.ListExecutions("f", status="Done"), "'Done' is none of"),
        (requests.ListExecutions("f", started_time_begin="now"), "'now' is no time"),
        (requests.ReportTaskFailed("t", ""), "may have 1 to 128"),
        (requests.ReportTaskFailed("t", "E", "x" * 4097), "may have 1 to 4096"),
        (requests.CreateFlowAlias("f", "a", {"1": 50}), "come to 50, and must to 100"),
        (requests.CreateSchedule("f", "s", "9:30"), "is no time table"),
        (requests.CreateSchedule("f", "s", "@every 1h", enable=1), "neither True nor False"),  # type: ignore[arg-type]
        (requests.UpdateMapRun("f", "e", "m", tolerated_failed_percentage=101), "no percentage"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_the_service_would_refuse_is_not_sent(request_, says: str):
    """A wrong request is one error that names the field; nobody needs to be reachable for it."""
    with pytest.raises(Invalid, match="was not sent") as caught:
        CloudFlow("127.0.0.1:9", attempts=1).send(request_)
    assert says in str(caught.value)


def test_all_that_is_wrong_is_said_at_once():
    """Two mistakes are one error."""
    with pytest.raises(Invalid) as caught:
        requests.StartSyncExecution("1", "2", input="{").wire()
    assert str(caught.value).count(";") == 2


@given(st.text(max_size=140))
def test_a_name_is_taken_if_the_rule_is_kept(text: str):
    """Letters, digits, _ and -, up to 128, a letter or _ first."""
    letters = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
    rest = letters | set("0123456789-")
    fine = 0 < len(text) <= 128 and text[0] in letters and set(text) <= rest
    try:
        assert checks.name(text) == text
    except ValueError:
        assert not fine
    else:
        assert fine


@pytest.mark.parametrize("operation", sorted(requests.OPERATIONS))
def test_what_was_sent_can_be_read_again(operation: str):
    """The emulator reads each value as the client had it."""
    kind = requests.OPERATIONS[operation]
    values = {f.name: EACH.get(f.name, "text") for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    wire = kind(**values).wire()
    assert parsed(kind, {**wire.query, **(wire.body or {})}) == values


def test_errors_say_what_the_service_said():
    """Code, words, request id and advice are attributes, and the kind can be caught."""
    with emulator.running() as endpoint:
        client = endpoint.client()
        client.create_flow("order", FLOW)
        with pytest.raises(DoesNotExist) as caught:
            client.describe_flow("nothing")
        error = caught.value
        assert (error.action, error.code, error.status) == ("DescribeFlow", "FlowNotExists", 404)
        assert error.recommend
        assert error.request_id in str(error)
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again)) == (DoesNotExist, str(error))
        with pytest.raises(AlreadyExists):
            client.create_flow("order", FLOW)
        with pytest.raises(TaskOver):
            client.report_task_succeeded("nobody-s", {})
        with pytest.raises(Refused, match="Definition: line 1"):
            client.create_flow("other", "nothing: here")
        for signature in ("rpc", "acs3"):
            wrong = {"access_key_id": "emulator", "access_key_secret": "x", "signature": signature}
            with pytest.raises(Denied, match="SignatureNotMatch"):
                endpoint.client(**wrong).describe_flow("order")


@pytest.mark.case("R22")
@pytest.mark.parametrize(
    "answer",
    [b"<html>", b"", b"[1]", b'"x"', b"<b>" * 9_000],
    ids=["html", "", "list", "text", "long"],
)
@pytest.mark.parametrize("status", [200, 502])
def test_an_answer_that_is_none_is_said_to_be(answer: bytes, status: int):
    """What is no JSON object, with whatever status, is an answer that did not come."""
    with in_thread(Recorder(answer, status), 0, "recorder") as url:
        client = CloudFlow(url, attempts=1)
        with pytest.raises(Unreachable, match="DescribeFlow") as caught:
            client.describe_flow("order")
        assert len(str(caught.value)) < 1_000
        with pytest.raises(Unreachable, match="DescribeFlow"):
            asyncio.run(client.describe_flow_async("order"))


def test_nobody_there_is_one_line_without_secrets():
    """The library's own words have the address with the signature: those stay out."""
    client = CloudFlow(
        "127.0.0.1:9",
        attempts=1,
        access_key_id="KEY",
        access_key_secret="SECRET",
        security_token="TOKEN",
    )
    with pytest.raises(Unreachable, match="no answer to DescribeFlow from 127") as caught:
        client.describe_flow("order")
    said = str(caught.value)
    assert not [word for word in ("KEY", "SECRET", "TOKEN", "Signature") if word in said]
    assert caught.value.__cause__ is None


def test_credentials_and_places_are_found_and_missing_ones_told(monkeypatch: pytest.MonkeyPatch):
    """Arguments, then the environment; without a region nothing is guessed."""
    with pytest.raises(Invalid, match="there is no region"):
        CloudFlow()
    with pytest.raises(Invalid, match="by https only"):
        CloudFlow("http://example.com")
    with pytest.raises(Invalid, match="CloudFlow takes endpoint"):
        CloudFlow("127.0.0.1:9", reigon="x")
    assert CloudFlow(region="cn-hangzhou").host == "cn-hangzhou.fnf.aliyuncs.com"
    assert CloudFlow(region="eu-central-1").host == "fnf.eu-central-1.aliyuncs.com"
    monkeypatch.setenv("ALIBABA_CLOUD_REGION_ID", "cn-beijing")
    assert CloudFlow().host == "cn-beijing.fnf.aliyuncs.com"
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret")
    monkeypatch.setenv("ALIBABA_CLOUD_SECURITY_TOKEN", "passing")
    found = CloudFlow().settings.credentials("cn-beijing.fnf.aliyuncs.com")
    assert found == {
        "access_key_id": "mine",
        "access_key_secret": "secret",
        "security_token": "passing",
    }
    recorder = Recorder()
    with in_thread(recorder, 0, "recorder") as url:
        monkeypatch.setenv("NBFLOW_CLOUDFLOW_ENDPOINT", url)
        CloudFlow().describe_flow("order")
    assert "mine" not in recorder.sent[0].target, "keys of the account go to loopback"


def test_any_operation_can_be_called_by_its_name():
    """The generic call needs only the parameters' own names, with either signature."""
    with emulator.running() as endpoint:
        for signature in ("rpc", "acs3"):
            client = endpoint.client(signature=signature)
            made = {"Name": "order", "Definition": FLOW, "Type": "FDL", "Description": "ü"}
            assert client.call("CreateFlow", made)["Name"] == "order"
            assert client.call("DescribeFlow", {"Name": "order"})["Description"] == "ü"
            found = asyncio.run(client.call_async("ListFlows", {"Limit": 3}))
            assert [flow["Name"] for flow in found["Flows"]] == ["order"]
            client.call("DeleteFlow", {"Name": "order"})
            with pytest.raises(Refused, match="ActionNotSupported"):
                client.call("Guess")


def test_a_definition_of_objects_can_be_sent():
    """What was parsed, or made, is sent as YAML that means the same."""
    with emulator.running() as endpoint:
        made = endpoint.client().create_flow("order", FlowDefinition.parse(FLOW))
    assert FlowDefinition.parse(made.definition) == FlowDefinition.parse(FLOW)


def test_lists_are_read_as_they_are_gone_through():
    """A page is asked for when it is come to, in either way, and nothing is left out."""
    with emulator.running() as endpoint:
        client = endpoint.client()
        names = [f"flow-{n}" for n in range(5)]
        for name in names:
            client.create_flow(name, FLOW.replace("order", name))
        listing = requests.ListFlows(limit=2)
        found = client.each(listing)
        assert next(found).name == "flow-0"
        assert endpoint.stats()["requests"]["ListFlows"] == 1
        assert [flow.name for flow in found] == names[1:]
        assert endpoint.stats()["requests"]["ListFlows"] == 3

        async def all_() -> list[str]:
            return [flow.name async for flow in client.each_async(listing)]

        assert asyncio.run(all_()) == names


def test_a_list_that_goes_round_in_circles_is_an_error():
    """A page whose next one is itself ends the reading instead of going on for ever."""
    answer = b'{"RequestId":"R","Flows":[{"Name":"a"}],"NextToken":"t"}'
    with in_thread(Recorder(answer), 0, "recorder") as url:
        found = CloudFlow(url).each(requests.ListFlows())
        with pytest.raises(Invalid, match="the same page"):
            list(found)


def test_waiting_ends_with_the_execution_or_in_time():
    """A wait asks once while the service holds the answer; one that ends says that it goes on."""
    with emulator.running(functions={"double": double}) as endpoint:
        client = endpoint.client()
        client.create_flow("order", FLOW)
        client.create_flow("doubled", DOUBLED)
        client.start_execution("doubled", "d", {"n": 4})
        assert client.wait("doubled", "d", 30).value == {"n": 8}
        assert asyncio.run(client.wait_async("doubled", "d", 30)).value == {"n": 8}
        client.start_execution("order", "o", {"n": 4})
        with pytest.raises(NotOver, match=r"execution o of flow order .* it goes on"):
            client.wait("order", "o", 0)
        with pytest.raises(DoesNotExist):
            client.wait("order", "nothing", 0)


@pytest.mark.parametrize("kind", ["throttle", "unavailable", "lost"])
def test_what_goes_wrong_once_is_tried_again(kind: str):
    """A throttled, failed or lost answer is had by another attempt, and nothing happens twice."""
    with emulator.running(frozen=True) as endpoint:
        client = endpoint.client()
        client.create_flow("order", FLOW)
        endpoint.inject(kind, "StartExecution", times=2)
        made = client.start_execution("order", input={"n": 1})
        assert made.name.startswith("e-")
        assert [found.name for found in client.list_executions("order")] == [made.name]


def test_what_would_happen_twice_is_not_repeated():
    """A version whose answer was lost is not published again; a throttled one is."""
    with emulator.running() as endpoint:
        client = endpoint.client()
        client.create_flow("order", FLOW)
        endpoint.inject("lost", "PublishFlowVersion")
        with pytest.raises(Unreachable):
            client.publish_flow_version("order")
        endpoint.inject("throttle", "PublishFlowVersion")
        assert client.publish_flow_version("order").version == "2"
        endpoint.inject("throttle", "DescribeFlow", times=9)
        with pytest.raises(Throttled):
            endpoint.client(attempts=2).describe_flow("order")


def test_the_package_is_light_until_a_request_is_sent():
    """Neither the library nor what it needs is loaded by the import or by a client's making."""
    script = (
        "import sys, json\nfrom nbflow.services.cloudflow.client import CloudFlow\n"
        "CloudFlow(region='cn-hangzhou')\nprint(json.dumps(sorted(sys.modules)))"
    )
    command = [sys.executable, "-c", script]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    heavy = {"aiohttp", "requests", "cryptography", "alibabacloud_tea_openapi", "Tea"}
    assert not heavy & set(json.loads(done.stdout))
