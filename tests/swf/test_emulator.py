"""The emulator as a server: polls, clocks, faults on purpose, processes, and what it refuses."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError, HTTPClientError

from nbflow.core.errors import NbflowError
from nbflow.services.swf import emulator
from nbflow.services.swf.emulator.__main__ import main
from tests.swf.places import Place, complete, decision

WORKER = """
import sys
from nbflow.services.swf import connect
client = connect(endpoint_url=sys.argv[1])
where = {"domain": sys.argv[2], "taskList": {"name": sys.argv[3]}}
while True:
    task = client.poll_for_activity_task(**where, identity=sys.argv[4])
    if not task["taskToken"]:
        break
    print(task["activityId"], flush=True)
    client.respond_activity_task_completed(taskToken=task["taskToken"], result="ok")
"""


def address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 0


def raw(url: str, headers: dict[str, str], body: bytes = b"{}", method: str = "POST") -> tuple:
    with closing(http.client.HTTPConnection(*address(url), timeout=10)) as connection:
        connection.request(method, "/", body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def in_domain(endpoint: emulator.Endpoint, **client) -> Place:
    made = Place("emulator", endpoint.client(**client), "d", endpoint)
    days = {"workflowExecutionRetentionPeriodInDays": "1"}
    made.client.register_domain(name="d", **days)
    return made


@pytest.mark.parametrize("process", [False, True])
def test_it_runs_in_a_thread_or_a_process(process: bool):
    """It serves while its block lasts, and nobody listens afterwards."""
    with emulator.running(process=process, limits=emulator.Limits(domains=0)) as endpoint:
        client = endpoint.client(retries=1)
        assert client.list_domains(registrationStatus="REGISTERED")["domainInfos"] == []
        with pytest.raises(ClientError, match="LimitExceededFault"):
            client.register_domain(name="d", workflowExecutionRetentionPeriodInDays="1")
    with pytest.raises(NbflowError, match="no emulator answers"):
        endpoint.now()


def test_the_command_prints_its_address_and_ends_when_told():
    """The first line is the address; SIGTERM ends it with code 0."""
    command = [sys.executable, "-m", "nbflow.services.swf.emulator", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        url = child.stdout.readline().strip()
        assert emulator.Endpoint(url).stats()["requests"] == {}
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 0


def test_a_process_ends_with_the_one_that_started_it():
    """When whoever started it is killed, the emulator's own process ends, too."""
    script = (
        "import sys\nfrom nbflow.services.swf import emulator\n"
        "with emulator.running(process=True) as e:\n"
        "    print(e, flush=True)\n    sys.stdin.read()\n"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", script], stdin=pipe, stdout=pipe, text=True) as p:
        assert p.stdout is not None
        where = address(p.stdout.readline().strip())
        with socket.create_connection(where, timeout=10) as connection:
            os.kill(p.pid, signal.SIGKILL)
            assert connection.recv(1) == b""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--limit", "nonsense=1"], "--limit nonsense=1: write NAME=NUMBER"),
        (["--limit", "events=many"], "--limit events=many: write NAME=NUMBER"),
        (["--host", "0.0.0.0"], "listens on loopback only"),
    ],
)
def test_bad_arguments_are_one_line(capsys: pytest.CaptureFixture, arguments: list, says: str):
    """What cannot be done is said in one line, with code 2."""
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


def test_it_is_for_clients_only(endpoint: emulator.Endpoint):
    """Other methods, other hosts and other texts than JSON are refused."""
    target = {"X-Amz-Target": "SimpleWorkflowService.ListDomains"}
    assert raw(endpoint.url, target, method="GET")[0] == 400
    assert raw(endpoint.url, {**target, "Host": "evil.example:80"})[0] == 400
    status, said = raw(endpoint.url, target, b"[1]")
    assert (status, said["__type"].split("#")[1]) == (400, "SerializationException")
    status, said = raw(endpoint.url, {"X-Amz-Target": "SimpleWorkflowService.Nothing"})
    assert said["__type"].split("#")[1] == "UnknownOperationException"
    status, said = raw(endpoint.url, target, b'{"registrationStatus": "NEVER"}')
    assert said["__type"] == "com.amazon.coral.validate#ValidationException"
    assert said["message"] == (
        "1 validation error detected: Value 'NEVER' at 'registrationStatus' failed to satisfy "
        "constraint: Member must satisfy enum value set: [REGISTERED, DEPRECATED]"
    )


def test_too_long_a_request_is_refused(endpoint: emulator.Endpoint):
    """A request of more than a megabyte is refused before it is read."""
    with socket.create_connection(address(endpoint.url), timeout=10) as connection:
        connection.sendall(
            b"POST / HTTP/1.1\r\nHost: localhost:1\r\nContent-Length: 1000001\r\n\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_a_poll_whose_client_is_gone_takes_no_task(endpoint: emulator.Endpoint):
    """A task goes to whoever still listens."""
    place = in_domain(endpoint)
    place.workflow_type()
    body = json.dumps({"domain": "d", "taskList": place.decisions}).encode()
    head = (
        "POST / HTTP/1.1\r\nHost: 127.0.0.1:1\r\n"
        "X-Amz-Target: SimpleWorkflowService.PollForDecisionTask\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    gone = socket.create_connection(address(endpoint.url), timeout=10)
    gone.sendall(head.encode() + body)
    while not endpoint.stats()["requests"].get("PollForDecisionTask"):
        pass
    gone.close()
    # Another request on a connection of its own is handled after the end of the first one.
    endpoint.now()
    run = place.start()
    assert place.poll()["workflowExecution"] == run


def test_a_frozen_clock_moves_by_request_only():
    """Time stands still but for what is asked, and what was due by then has happened."""
    with emulator.running(frozen=True) as endpoint:
        place = in_domain(endpoint)
        assert endpoint.now() == endpoint.now()
        run = place.start(executionStartToCloseTimeout="3600")
        endpoint.advance(3599)
        assert place.kinds(run)[-1] == "DecisionTaskScheduled"
        endpoint.advance(2)
        assert place.kinds(run)[-1] == "WorkflowExecutionTimedOut"
        with pytest.raises(NbflowError, match="seconds must be a number"):
            endpoint.advance(-1)


def test_advancing_the_clock_ends_polls():
    """A poll that was held for its 60 seconds is answered, though nobody waited for them."""
    with emulator.running(frozen=True) as endpoint:
        place = in_domain(endpoint)
        got: list = []
        thread = threading.Thread(target=lambda: got.append(place.take()))
        thread.start()
        while not endpoint.stats()["requests"].get("PollForActivityTask"):
            pass
        endpoint.advance(60)
        thread.join(10)
        assert got[0]["taskToken"] == ""


def test_too_many_polls_are_refused():
    """One poll more than a task list may have is refused."""
    with emulator.running(limits=emulator.Limits(pollers=0)) as endpoint:
        place = in_domain(endpoint, retries=1)
        with pytest.raises(ClientError, match="LimitExceededFault"):
            place.take()


def test_throttling_is_tried_again_by_boto3(endpoint: emulator.Endpoint):
    """Requests that are throttled come through at last, or not at all, as boto3 is told."""
    client = endpoint.client(retries=3)
    endpoint.inject("throttle", "ListDomains", times=2)
    assert client.list_domains(registrationStatus="REGISTERED")["domainInfos"] == []
    endpoint.inject("throttle", "ListDomains", times=3)
    with pytest.raises(ClientError, match="Rate exceeded"):
        client.list_domains(registrationStatus="REGISTERED")


def test_a_lost_response_was_carried_out(endpoint: emulator.Endpoint):
    """The connection ends without an answer, but what was asked for is done."""
    place = in_domain(endpoint, retries=1)
    place.workflow_type()
    endpoint.inject("lost", "StartWorkflowExecution")
    with pytest.raises(HTTPClientError):
        place.start()
    assert place.poll()["taskToken"]


def test_a_duplicate_is_carried_out_twice(endpoint: emulator.Endpoint):
    """A request that arrives twice finds the second time what the first one did."""
    place = in_domain(endpoint, retries=1)
    run = place.start()
    endpoint.inject("duplicate", "SignalWorkflowExecution", skip=1)
    place.signal(run, "once")
    place.signal(run, "twice")
    assert place.kinds(run).count("WorkflowExecutionSignaled") == 3
    endpoint.inject("duplicate", "StartWorkflowExecution")
    with pytest.raises(ClientError, match="WorkflowExecutionAlreadyStartedFault"):
        place.start("other")


def test_a_task_can_be_delivered_twice(endpoint: emulator.Endpoint):
    """A duplicated poll gives its task to the next poll as well; only one answer counts."""
    place = in_domain(endpoint, retries=1)
    place.start()
    endpoint.inject("duplicate", "PollForDecisionTask")
    first, second = place.poll(), place.poll()
    assert first["taskToken"] == second["taskToken"]
    place.respond(first, complete())
    with pytest.raises(ClientError, match="UnknownResourceFault"):
        place.respond(second, complete())


def test_other_faults_can_be_asked_for(endpoint: emulator.Endpoint):
    """The service can be unavailable or slow, and calm again."""
    client = endpoint.client(retries=1)
    endpoint.inject("unavailable", times=5)
    with pytest.raises(ClientError, match="InternalFailure"):
        client.list_domains(registrationStatus="REGISTERED")
    endpoint.calm()
    endpoint.inject("delay", seconds=0.2)
    assert client.list_domains(registrationStatus="REGISTERED")["domainInfos"] == []
    for wrong in (
        {"kind": "nonsense"},
        {"kind": "lost", "operation": "X"},
        {"kind": "lost", "times": -1},
    ):
        with pytest.raises(NbflowError, match="refused Inject"):
            endpoint.inject(**wrong)


def test_decisions_can_be_refused(endpoint: emulator.Endpoint):
    """A decision fails with a cause that it can have, as often as asked."""
    place = in_domain(endpoint)
    run = place.start()
    endpoint.refuse("ScheduleActivityTask", "ACTIVITY_CREATION_RATE_EXCEEDED", times=1)
    place.decide(place.schedule("a"), place.schedule("b"))
    failed = place.last(run, "ScheduleActivityTaskFailed")
    assert (failed["activityId"], failed["cause"]) == ("a", "ACTIVITY_CREATION_RATE_EXCEEDED")
    assert place.take()["activityId"] == "b"
    with pytest.raises(NbflowError, match="RecordMarker fails with one of OPERATION_NOT_PERMITTED"):
        endpoint.refuse("RecordMarker", "ACTIVITY_CREATION_RATE_EXCEEDED")


def test_lambda_functions_do_what_they_are_told(endpoint: emulator.Endpoint):
    """A function gives its result, or its input, or fails; an unknown one fails."""
    endpoint.function("good", result="7")
    endpoint.function("echo", echo=True)
    endpoint.function("bad", reason="r", details="d")
    place = in_domain(endpoint)
    run = place.start(lambdaRole="arn:aws:iam::000000000000:role/any")
    names = ("good", "echo", "bad", "none")
    place.decide(*(decision("ScheduleLambdaFunction", id=n, name=n, input="in") for n in names))
    done = [
        e["lambdaFunctionCompletedEventAttributes"]["result"]
        for e in place.history(run)
        if e["eventType"] == "LambdaFunctionCompleted"
    ]
    assert done == ["7", "in"]
    assert place.last(run, "LambdaFunctionFailed")["reason"] == "ResourceNotFoundException"
    with pytest.raises(NbflowError, match="A function has a name and"):
        endpoint.function("x", nonsense=1)


def test_what_was_served_is_counted(endpoint: emulator.Endpoint):
    """Requests by operation, events by type, and how many events went out."""
    place = in_domain(endpoint)
    run = place.start()
    place.decide()
    place.history(run)
    stats = endpoint.stats()
    assert stats["requests"]["PollForDecisionTask"] == 1
    assert stats["recorded"]["DecisionTaskCompleted"] == 1
    assert stats["eventsServed"] == 3 + 4


def test_many_processes_get_each_task_once():
    """Eight processes take 200 activities of a list: each is delivered once, and all are done."""
    limits = emulator.Limits(poll=1)
    with emulator.running(process=True, limits=limits) as endpoint:
        place = in_domain(endpoint)
        run = place.start()
        for first in (0, 100):
            place.decide(*(place.schedule(f"a-{n}") for n in range(first, first + 100)))
            place.signal(run, "go on")
        command = [sys.executable, "-c", WORKER, endpoint.url, "d", place.activities["name"]]
        workers = [
            subprocess.Popen([*command, f"w{n}"], stdout=subprocess.PIPE, text=True)
            for n in range(8)
        ]
        delivered = Counter(
            line for worker in workers for line in worker.communicate(timeout=50)[0].split()
        )
        assert delivered == Counter({f"a-{n}": 1 for n in range(200)})
        assert place.kinds(run).count("ActivityTaskCompleted") == 200
