"""The emulator: what is kept, time, queues, functions, flows within flows, limits, and faults."""

from __future__ import annotations

import http.client
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

pytest.importorskip("alibabacloud_tea_openapi")

from hypothesis import given
from hypothesis import strategies as st

from nbflow.core.errors import NbflowError
from nbflow.services.cloudflow import FlowDefinition, emulator
from nbflow.services.cloudflow.client import (
    AlreadyExists,
    CloudFlow,
    DoesNotExist,
    Invalid,
    Refused,
    TaskOver,
    Throttled,
    requests,
)
from nbflow.services.cloudflow.emulator.__main__ import main
from nbflow.services.cloudflow.emulator.cron import Table
from nbflow.services.cloudflow.errors import ActionError
from nbflow.services.cloudflow.interpret import api
from nbflow.services.cloudflow.interpret.machine import Machine
from tests.cloudflow.calls import DOUBLED, FLOW, MAPPED, double
from tests.cloudflow.flows import Fails

HEAD = "Type: StateMachine\nSpecVersion: v1\n"
WAITS = f"{HEAD}Name: waits\nStartAt: w\nStates: [{{Type: Wait, Name: w, Seconds: 60, End: true}}]"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


def parent(mode: str, child: str = "waits") -> str:
    return f"""{HEAD}Name: parent
StartAt: sub
States:
  - Type: Task
    Name: sub
    Action: FNF:StartExecution
    TaskMode: {mode}
    Parameters:
      resourceArn: acs:fnf:cn-hangzhou::flow/{child}
      executionName: child
      input:
        token.$: $Context.Current.TaskToken
        n: 4
    Catch:
      - {{Errors: [FnF.ALL], Description: c, Next: caught}}
    End: true
  - Type: Pass
    Name: caught
    InputConstructor: {{caught: true}}
    End: true
"""


def history(client: CloudFlow, flow: str, execution: str) -> list[tuple[str, str]]:
    asked = requests.GetExecutionHistory(flow, execution)
    return [(event.type, event.step_name) for event in client.each(asked)]


def token_of(message: dict | None) -> str:
    assert message is not None
    return str(json.loads(message["body"])["token"])


# What is kept


def test_a_restart_loses_nothing(tmp_path: Path):
    """Flows, versions, aliases, schedules, waits, tokens and messages are there afterwards."""
    path = tmp_path / "emulator.sqlite"
    with emulator.running(path, frozen=True) as endpoint:
        client = endpoint.client()
        for name, text in (
            ("order", FLOW),
            ("waits", WAITS),
            ("parent", parent("RequestComplete")),
        ):
            client.create_flow(name, text)
        client.publish_flow_version("order")
        client.create_flow_alias("order", "prod", {"1": 100})
        client.create_schedule("order", "daily", "0 30 9 * * *", {"n": 9})
        client.start_execution("order", "o", {"n": 1})
        client.start_execution("waits", "w", {"n": 1})
        before = history(client, "order", "o")
    with emulator.running(path, frozen=True) as endpoint:
        client = endpoint.client()
        assert history(client, "order", "o") == before
        assert client.describe_flow_alias("order", "prod").routing_configurations == {"1": 100}
        assert client.describe_schedule("order", "daily").payload == '{"n":9}'
        token = token_of(endpoint.receive("work"))
        client.report_task_succeeded(token, {"ok": True})
        assert client.describe_execution("order", "o").value == {"ok": True}
        with pytest.raises(TaskOver, match="TaskAlreadyCompleted"):
            client.report_task_failed(token, "Late")
        endpoint.advance(120)
        assert client.describe_execution("waits", "w").status == "Succeeded"


def test_a_killed_emulator_goes_on_with_its_data(tmp_path: Path):
    """After kill -9 the next one calls a function again that had not answered."""
    path, mark = tmp_path / "data", tmp_path / "mark"
    slow = (
        f"sh -c 'echo x >> {mark}; if [ $(wc -l < {mark}) = 1 ]; then sleep 60; fi; echo \"{{}}\"'"
    )
    command = [sys.executable, "-m", "nbflow.services.cloudflow.emulator", "--data", str(path)]
    command += ["--function", f"double={slow}"]
    flow = DOUBLED.replace("      n.$: $Output.Body.n\n", "      done: true\n")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        client = CloudFlow(child.stdout.readline().strip())
        client.create_flow("doubled", flow)
        client.start_execution("doubled", "d", {"n": 1})
        end = time.monotonic() + 30
        while not mark.exists() and time.monotonic() < end:
            client.describe_execution("doubled", "d")
        os.kill(child.pid, signal.SIGKILL)
    with emulator.running(path, process=True, functions={"double": slow}) as endpoint:
        client = endpoint.client()
        assert client.wait("doubled", "d", 30).value == {"done": True}
        assert [kind for kind, _ in history(client, "doubled", "d")].count("TaskScheduled") == 1


def test_a_file_of_something_else_is_left_as_it_is(tmp_path: Path):
    """A database of another program is refused, not changed; so is what is no database."""
    path = tmp_path / "text"
    path.write_text("not a database" * 100)
    with pytest.raises(NbflowError, match="cannot keep its data"), emulator.running(path):
        pass
    assert path.read_text() == "not a database" * 100


# Executions


def test_a_name_is_good_for_one_execution():
    """While one runs it is answered; once it is over the name is taken for good."""
    with emulator.running(frozen=True) as endpoint:
        client = endpoint.client()
        client.create_flow("order", FLOW)
        first = client.start_execution("order", "o", {"n": 1})
        again = client.start_execution("order", "o", {"n": 2})
        assert (again.started_time, again.input) == (first.started_time, '{"n":1}')
        stopped = client.stop_execution("order", "o", "Enough", "because")
        assert stopped.status == "Stopped"
        assert client.get_execution_history("order", "o").items[-1].detail["error"] == "Enough"
        with pytest.raises(AlreadyExists, match="Execution o for flow order already exists"):
            client.start_execution("order", "o")
        with pytest.raises(TaskOver):
            client.report_task_succeeded(token_of(endpoint.receive("work")), {})


def test_a_token_is_good_for_one_report():
    """A second report is refused also while the execution goes on, and changes nothing."""
    text = FLOW.replace("    End: true\n", "    Next: hold\n")
    text += "  - {Type: Wait, Name: hold, Seconds: 60, End: true}\n"
    with emulator.running(frozen=True) as endpoint:
        client = endpoint.client()
        client.create_flow("order", text)
        client.start_execution("order", "o", {"n": 1})
        token = token_of(endpoint.receive("work"))
        client.report_task_succeeded(token, {"first": 1})
        with pytest.raises(TaskOver, match="TaskAlreadyCompleted"):
            client.report_task_succeeded(token, {"second": 2})
        endpoint.advance(61)
        assert client.describe_execution("order", "o").value == {"first": 1}
        kinds = [kind for kind, _ in history(client, "order", "o")]
        assert kinds.count("TaskSucceeded") == 1


def test_express_flows_answer_with_their_result():
    """StartSyncExecution gives output or error; the modes do not mix."""
    with emulator.running(functions={"double": double}) as endpoint:
        client = endpoint.client()
        client.create_flow("doubled", DOUBLED, execution_mode="Express")
        client.create_flow("order", FLOW)
        done = client.start_sync_execution("doubled", "x", {"n": 4})
        assert (done.status, done.value, done.name[:2]) == ("Succeeded", {"n": 8}, "x:")
        failed = client.start_sync_execution("doubled", "x", {"m": 4})
        assert (failed.status, failed.error_code) == ("Failed", "KeyError")
        with pytest.raises(Refused, match="is Express: use StartSyncExecution"):
            client.start_execution("doubled")
        with pytest.raises(Refused, match="is Standard: use StartExecution"):
            client.start_sync_execution("order")


def test_executions_are_listed_by_what_is_asked_for():
    """Prefix, status, time and pages; brief ones are without data."""
    with emulator.running(frozen=True) as endpoint:
        client = endpoint.client()
        client.create_flow("order", FLOW)
        for n in range(5):
            client.start_execution("order", f"o-{n}", {"n": n})
            endpoint.advance(10)
        client.stop_execution("order", "o-0")
        client.start_execution("order", "x", {"n": 1})

        def names(**which) -> list[str]:
            asked = requests.ListExecutions("order", limit=2, **which)
            return [found.name for found in client.each(asked)]

        assert names() == ["x", "o-4", "o-3", "o-2", "o-1", "o-0"]
        assert names(execution_name_prefix="o-", status="Running") == ["o-4", "o-3", "o-2", "o-1"]
        third = client.describe_execution("order", "o-2").started_time
        assert names(started_time_begin=third, status="Running")[-1] == "o-2"
        brief = client.list_executions("order", limit=1, metadata_only=True).items[0]
        assert (brief.name, brief.input, brief.flow_definition) == ("x", "", "")


def test_versions_and_aliases_route_executions():
    """A version keeps its definition; an alias spreads executions by weight."""
    with emulator.running(frozen=True, seed="s") as endpoint:
        client = endpoint.client()
        client.create_flow("waits", WAITS)
        client.publish_flow_version("waits", "first")
        client.update_flow("waits", WAITS.replace("60", "5"))
        client.publish_flow_version("waits", "second")
        assert "60" in client.describe_flow("waits", "1").definition
        assert [v.version for v in client.list_flow_versions("waits")] == ["2", "1"]
        client.create_flow_alias("waits", "prod", {"1": 50, "2": 50})
        for n in range(20):
            client.start_execution("waits", f"e-{n}", {}, qualifier="prod")
        endpoint.advance(10)
        done = client.list_executions("waits", status="Succeeded").items
        assert 2 < len(done) < 18
        with pytest.raises(Refused, match="is used by alias prod"):
            client.delete_flow_version("waits", "1")
        client.update_flow_alias("waits", "prod", {"2": 100})
        client.delete_flow_version("waits", "1")
        with pytest.raises(DoesNotExist, match="Version 1 of flow waits"):
            client.start_execution("waits", "late", qualifier="1")
        with pytest.raises(DoesNotExist, match="Alias beta"):
            client.start_execution("waits", "late", qualifier="beta")


def test_a_deleted_flow_takes_everything_with_it():
    """Nothing of it is found afterwards, also if it is created again."""
    with emulator.running(frozen=True) as endpoint:
        client = endpoint.client()
        client.create_flow("order", FLOW)
        client.start_execution("order", "o", {"n": 1})
        client.create_schedule("order", "s", "@every 1m")
        client.delete_flow("order")
        client.create_flow("order", FLOW)
        assert not client.list_executions("order")
        assert not client.list_schedules("order")
        endpoint.advance(300)
        with pytest.raises(DoesNotExist):
            client.get_execution_history("order", "o")


# Other flows


@pytest.mark.parametrize("mode", ["RequestComplete", "WaitForSystemCallback"])
def test_flows_start_others(mode: str):
    """One mode goes on once the other is started, one when it is over."""
    with emulator.running(frozen=True) as endpoint:
        client = endpoint.client()
        client.create_flow("waits", WAITS)
        client.create_flow("parent", parent(mode))
        client.start_execution("parent", "p")
        endpoint.advance(1)
        found = client.describe_execution("parent", "p")
        if mode == "RequestComplete":
            assert found.value == {"FlowName": "waits", "ExecutionName": "child"}
            return
        assert found.status == "Running"
        endpoint.advance(60)
        assert client.describe_execution("parent", "p").value["n"] == 4


def test_what_a_started_flow_failed_with_can_be_caught():
    """A child that is stopped, or cannot be started, is an error of the state that started it."""
    with emulator.running(frozen=True) as endpoint:
        client = endpoint.client()
        client.create_flow("waits", WAITS)
        client.create_flow("parent", parent("WaitForSystemCallback"))
        client.start_execution("parent", "p")
        client.stop_execution("waits", "child", "Mine")
        assert client.describe_execution("parent", "p").value == {"caught": True}
        client.start_execution("parent", "q")
        failed = [e for e in client.get_execution_history("parent", "q") if e.type == "StepFailed"]
        assert failed[0].detail["error"] == "fnf.ExecutionAlreadyExists"


def test_a_started_flow_can_report_the_token_itself():
    """In the third mode the child is given a token, and whoever has it ends the wait."""
    with emulator.running(frozen=True) as endpoint:
        client = endpoint.client()
        client.create_flow("waits", WAITS)
        client.create_flow("parent", parent("WaitForCustomCallback"))
        client.start_execution("parent", "p")
        given_ = json.loads(client.describe_execution("waits", "child").input)
        client.report_task_failed(given_["token"], "Mine", "because")
        assert client.describe_execution("parent", "p").value == {"caught": True}


def test_a_distributed_map_is_executions_of_their_own():
    """They are counted, listed by the map run, and run as many at once as is set."""
    with emulator.running(frozen=True) as endpoint:
        client = endpoint.client()
        client.create_flow("mapped", MAPPED)
        client.start_execution("mapped", "m", {"items": [{"v": n} for n in range(5)]})
        run = client.describe_map_run("mapped", "m", "each")
        assert (run.concurrency, run.item_counts["Running"], run.item_counts["Pending"]) == (
            2,
            2,
            3,
        )
        listed = client.list_executions("mapped", map_run_name="each")
        assert len(listed) == 2
        client.update_map_run("mapped", "m", "each", concurrency=3)
        counts = client.describe_map_run("mapped", "m", "each").item_counts
        assert (counts["Running"], counts["Total"]) == (3, 5)
        endpoint.advance(30)
        run = client.describe_map_run("mapped", "m", "each")
        assert (run.status, run.item_counts["Succeed"]) == ("Succeeded", 5)
        assert client.describe_execution("mapped", "m").value["Items"][4] == {"v": 4}
        with pytest.raises(DoesNotExist, match="Map run other"):
            client.describe_map_run("mapped", "m", "other")


# Actions


@contextmanager
def answering(body: bytes):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(201)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - of the base

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/x"
        finally:
            server.shutdown()
            thread.join()


def asking(url: str) -> str:
    return f"""{HEAD}Name: asks
StartAt: a
States:
  - Type: Task
    Name: a
    Action: HTTP:Request
    Parameters: {{url: "{url}", method: POST, headers: {{X-A: b}}, body: {{n: 1}}}}
    OutputConstructor: {{code.$: $Output.Code, body.$: $Output.Body}}
    End: true
"""


def test_flows_reach_addresses_of_this_machine_only():
    """Loopback is asked; anything else is an error of the state, and nothing is sent."""
    with answering(b"hello") as url, emulator.running() as endpoint:
        client = endpoint.client()
        client.create_flow("asks", asking(url))
        client.start_execution("asks", "a")
        assert client.wait("asks", "a", 30).value == {"code": 201, "body": "hello"}
        client.update_flow("asks", asking("http://example.com/"))
        client.start_execution("asks", "b")
        assert client.wait("asks", "b", 30).status == "Failed"
        last = client.get_execution_history("asks", "b").items[-1]
        assert last.detail["error"] == "HTTP.Forbidden"


@pytest.mark.parametrize(
    ("function", "error"),
    [
        (lambda _: {"n": object()}, "FC.Unknown"),
        ("sh -c 'exit 3'", "FC.Unknown"),
        ("echo nonsense", "FC.Unknown"),
        (lambda body: body["m"], "KeyError"),
        (None, "FC.FunctionNotFound"),
        (Fails(ActionError("FC.ResourceThrottled", "busy")), "FC.ResourceThrottled"),
        (Fails(ActionError("FC.InternalServerError")), "FC.InternalServerError"),
    ],
    ids=["no data", "code", "no JSON", "raises", "unknown", "throttled", "down"],
)
def test_what_goes_wrong_in_a_function_is_an_error_of_the_state(function, error: str):
    """A callable's exception has its class's name; whatever else goes wrong can be caught, too."""
    functions = {"double": function} if function else {}
    with emulator.running(functions=functions) as endpoint:
        client = endpoint.client()
        client.create_flow("doubled", DOUBLED)
        client.start_execution("doubled", "d", {"n": 1})
        assert client.wait("doubled", "d", 30).status == "Failed"
        assert client.get_execution_history("doubled", "d").items[-1].detail["error"] == error


def test_a_message_comes_back_until_it_is_removed():
    """It is hidden while it is taken, renewing keeps it, and a late worker is told."""
    with emulator.running(frozen=True) as endpoint:
        endpoint.send("jobs", "a")
        first = endpoint.receive("jobs", visibility=10)
        assert first is not None
        assert endpoint.receive("jobs") is None
        endpoint.advance(8)
        endpoint.renew("jobs", first["receipt"], 10)
        endpoint.advance(8)
        assert endpoint.receive("jobs") is None
        endpoint.advance(8)
        second = endpoint.receive("jobs")
        assert second is not None
        assert (second["body"], second["taken"]) == ("a", 2)
        with pytest.raises(NbflowError, match="does not exist"):
            endpoint.remove("jobs", first["receipt"])
        endpoint.remove("jobs", second["receipt"])
        endpoint.advance(100)
        assert endpoint.receive("jobs") is None


def test_a_request_for_a_message_waits_for_one():
    """It is held until one comes; a message that is handed out twice is so by request."""
    with emulator.running() as endpoint:
        got: list = []
        thread = threading.Thread(target=lambda: got.append(endpoint.receive("jobs", wait=30)))
        thread.start()
        endpoint.send("jobs", "a")
        thread.join(30)
        assert got[0]["body"] == "a"
        endpoint.inject("redeliver", "more")
        endpoint.send("more", "b")
        both = [endpoint.receive("more"), endpoint.receive("more")]
        assert [message and message["body"] for message in both] == ["b", "b"]


def test_a_message_does_not_go_to_who_is_gone():
    """A request that waited for one and whose client went away takes none."""
    with emulator.running(frozen=True) as endpoint:
        body = json.dumps({"queue": "jobs", "wait": 30})
        gone = http.client.HTTPConnection(endpoint.host, timeout=10)
        gone.request("POST", "/nbflow/queue/receive", body, {"X-Nbflow-Emulator": "1"})
        endpoint.now()  # what is asked on another connection is handled after that
        gone.close()
        endpoint.now()
        endpoint.now()
        endpoint.send("jobs", "a")
        found = endpoint.receive("jobs")
        assert found is not None
        assert (found["body"], found["taken"]) == ("a", 1)


# Time


def test_schedules_start_flows_when_their_time_has_come():
    """Each time is one execution, with the payload as its input; a disabled one starts none."""
    with emulator.running(frozen=True) as endpoint:
        client = endpoint.client()
        client.create_flow("order", FLOW)
        client.create_schedule("order", "often", "@every 10m", {"n": 7})
        endpoint.advance(3600)
        found = client.list_executions("order").items
        assert (len(found), found[0].input) == (6, '{"n":7}')
        assert found[0].name.startswith("often-")
        client.update_schedule("order", "often", enable=False)
        endpoint.advance(3600)
        assert len(client.list_executions("order")) == 6
        with pytest.raises(AlreadyExists):
            client.create_schedule("order", "often", "@every 1m")
        with pytest.raises(Refused, match="does not fit the minutes"):
            client.create_schedule("order", "never", "0 61 * * * *")


@pytest.mark.parametrize(
    ("text", "after", "then"),
    [
        ("0 30 9 * * *", "2026-11-22T09:30:00", "2026-11-23T09:30:00"),
        ("*/20 * * * * ?", "2026-11-22T09:30:05", "2026-11-22T09:30:20"),
        ("0 0 0 29 2 *", "2026-11-22T00:00:00", "2028-02-29T00:00:00"),
        ("0 0 12 * * mon-fri", "2026-11-20T12:00:00", "2026-11-23T12:00:00"),
        ("0 0 0 1 * 7", "2026-11-20T12:00:00", "2026-11-22T00:00:00"),
        ("59 59 23 31 dec *", "2026-12-31T23:59:59", "2027-12-31T23:59:59"),
        ("0 0,30 8-10/2 * * *", "2026-11-22T08:30:00", "2026-11-22T10:00:00"),
    ],
)
def test_time_tables_are_read_as_everywhere(text: str, after: str, then: str):
    """Steps, ranges, names, lists, and days of the month or the week, in UTC."""
    start = datetime.fromisoformat(after).replace(tzinfo=UTC).timestamp()
    found = Table(text).after(start)
    assert found is not None
    assert datetime.fromtimestamp(found, UTC).replace(tzinfo=None).isoformat() == then


@given(st.integers(0, 4_000_000_000), st.sampled_from(["*/7 * * * * *", "0 */13 */5 * * 1,3"]))
def test_the_next_time_is_later_and_fits(after: int, text: str):
    """It is after the one given, and nothing between fits, as the next of a second before shows."""
    table = Table(text)
    found = table.after(float(after))
    assert found is not None
    assert found > after
    assert table.after(found - 1) == found


def test_there_are_tables_that_never_come():
    """The 31st of February is no error, and never."""
    assert Table("0 0 0 31 2 *").after(0.0) is None


# Limits and faults


def test_requests_are_counted_where_it_is_asked_for():
    """Ten at once, then two a second; other operations have buckets of their own."""
    with emulator.running(frozen=True, limits=emulator.Limits(rates=True)) as endpoint:
        client = endpoint.client(attempts=1)
        for _ in range(10):
            client.list_flows()
        with pytest.raises(Throttled, match="ResourceThrottled"):
            client.list_flows()
        client.describe_regions()
        endpoint.advance(0.5)
        client.list_flows()
        with pytest.raises(Throttled):
            client.list_flows()


@pytest.mark.parametrize(
    ("limits", "error"),
    [
        (emulator.Limits(events=20), "FnF.EventLimitExceeded"),
        (emulator.Limits(data=100), "FnF.DataLimitExceeded"),
    ],
    ids=["events", "data"],
)
def test_an_execution_that_grows_too_large_fails(limits: emulator.Limits, error: str):
    """It has one event that says so, as its last."""
    loop = f"{HEAD}Name: loop\nStartAt: a\nStates:\n"
    loop += "  - {Type: Pass, Name: a, Next: b}\n"
    loop += "  - Type: Task\n    Name: b\n    Action: FC:InvokeFunction\n"
    loop += "    Parameters: {resourceArn: acs:fc:c:1:functions/large/LATEST}\n    Next: a\n"
    functions = {"large": lambda _: "x" * 200}
    with emulator.running(functions=functions, limits=limits) as endpoint:
        client = endpoint.client()
        client.create_flow("loop", loop)
        client.start_execution("loop", "l")
        assert client.wait("loop", "l", 30).status == "Failed"
        last = client.get_execution_history("loop", "l").items[-1]
        assert (last.type, last.detail["error"]) == ("ExecutionFailed", error)


def test_an_input_that_is_too_large_is_refused():
    """The service's limit is the emulator's, and can be switched off there."""
    large = {"FlowName": "waits", "ExecutionName": "w", "Input": json.dumps({"a": "x" * 70_000})}
    with emulator.running(frozen=True) as endpoint:
        endpoint.client().create_flow("waits", WAITS)
        with pytest.raises(Refused, match="EntityTooLarge"):
            endpoint.client().call("StartExecution", large)
    with emulator.running(frozen=True, limits=emulator.Limits(data=0)) as endpoint:
        endpoint.client().create_flow("waits", WAITS)
        assert endpoint.client().call("StartExecution", large)["Status"] == "Running"


def test_an_execution_may_take_only_so_long():
    """It ends as TimedOut, with what it waits for given up."""
    limits = emulator.Limits(standard_seconds=30)
    with emulator.running(frozen=True, limits=limits) as endpoint:
        client = endpoint.client()
        client.create_flow("order", FLOW)
        client.start_execution("order", "o", {"n": 1})
        endpoint.advance(31)
        assert client.describe_execution("order", "o").status == "TimedOut"
        with pytest.raises(TaskOver):
            client.report_task_succeeded(token_of(endpoint.receive("work")), {})


def test_a_duplicate_is_carried_out_twice():
    """The second answer is the one that arrives: of a version it has the next number."""
    with emulator.running() as endpoint:
        client = endpoint.client()
        client.create_flow("order", FLOW)
        endpoint.inject("duplicate", "PublishFlowVersion")
        assert client.publish_flow_version("order").version == "2"
        endpoint.inject("unavailable", skip=1)
        endpoint.calm()
        client.list_flows()
        client.list_flows()
        with pytest.raises(NbflowError, match="refused inject"):
            endpoint.inject("nonsense")


def raw(url: str, method: str, path: str, headers: dict, body: bytes = b"") -> tuple[int, dict]:
    where = url.rpartition("/")[2]
    with closing(http.client.HTTPConnection(where, timeout=10)) as connection:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        ("/", {}, 400, "MissingRequiredParams"),
        ("/?Action=ListFlows", {}, 400, "APIVersionNotSupported"),
        ("/?Action=Nothing&Version=2019-03-15", {}, 400, "ActionNotSupported"),
        ("/?Action=ListFlows&Version=2019-03-15", {}, 400, "MissingRequiredParams"),
        ("/", {"Host": "evil.example:80"}, 400, "InvalidArgument"),
        ("/nbflow/clock", {}, 400, "MissingRequiredHeader"),
        ("/nbflow/nothing", {"x-nbflow-emulator": "1"}, 400, "ActionNotSupported"),
        (
            "/?Action=ListFlows&Version=2019-03-15&AccessKeyId=emulator&Signature=eA==",
            {},
            403,
            "SignatureNotMatch",
        ),
    ],
)
def test_what_is_no_request_is_refused(path: str, headers: dict, status: int, code: str):
    """Each has the service's code and status, also what a page in a browser might send."""
    with emulator.running() as endpoint:
        found, said = raw(endpoint.url, "GET", path, headers)
        assert (found, said["Code"]) == (status, code)
        assert endpoint.now()


def test_a_request_of_another_day_is_refused():
    """A signature is good for a quarter of an hour."""
    from nbflow.services.cloudflow.emulator import Fault, signing

    query = {"Timestamp": "2026-01-01T00:00:00Z", "AccessKeyId": "k"}
    made = signing._rpc(signing.Sent("GET", query, {}, {}, b""), "s")
    sent = signing.Sent("GET", {**query, "Signature": made}, {}, {}, b"")
    then = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    signing.check(sent, {"k": "s"}, then + 899, 900)
    with pytest.raises(Fault, match="RequestTimeTooSkewed"):
        signing.check(sent, {"k": "s"}, then + 901, 900)


# How it is run


def test_it_ends_with_its_block_and_serves_in_a_process_too():
    """Commands are functions of a process; nobody listens afterwards."""
    with emulator.running(process=True, functions={"double": "cat"}, verify=False) as endpoint:
        client = endpoint.client()
        client.create_flow("doubled", DOUBLED)
        client.start_execution("doubled", "d", {"n": 4})
        assert client.wait("doubled", "d", 30).value == {"n": 4}
    with pytest.raises(NbflowError, match="no emulator answers"):
        endpoint.now()
    with (
        pytest.raises(NbflowError, match="commands, not callables"),
        emulator.running(process=True, functions={"double": double}),
    ):
        pass


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--limit", "nonsense=1"], "--limit nonsense=1: write NAME=NUMBER"),
        (["--limit", "events"], "--limit 'events': write NAME=VALUE"),
        (["--host", "0.0.0.0"], "listens on loopback only"),
        (["--function", "=x"], "write NAME=VALUE"),
    ],
)
def test_bad_arguments_are_one_line(capsys: pytest.CaptureFixture, arguments: list, says: str):
    """What cannot be done is said in one line, with code 2."""
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


# The log


@pytest.mark.parametrize("text", [FLOW, WAITS, MAPPED, parent("WaitForSystemCallback")])
def test_a_log_leads_to_the_same_place_from_any_of_its_events(text: str):
    """A machine that is given a beginning of a log goes on with what the rest of it has."""
    definition = FlowDefinition.parse(text)
    with emulator.running(frozen=True) as endpoint:
        client = endpoint.client()
        client.create_flow("waits", WAITS) if definition.name != "waits" else None
        client.create_flow(definition.name, text)
        asked = {"n": 1, "items": [{"v": 1}, {"v": 2}, {"v": 3}]}
        client.start_execution(definition.name, "e", asked)
        endpoint.advance(200)
        message = endpoint.receive("work")
        if message is not None:
            client.report_task_succeeded(token_of(message), {"ok": 1})
        found = client.describe_execution(definition.name, "e")
        events = list(client.each(requests.GetExecutionHistory(definition.name, "e")))
    assert (found.status, events[-1].type) == ("Succeeded", "ExecutionSucceeded")
    info = api.ExecutionInfo(flow=definition.name, name="e", input=asked, started=0.0)
    log = [
        api.Event(
            id=e.event_id,
            type=e.type,
            time=e.time.timestamp() if e.time else 0.0,
            step=e.step_name,
            schedule=e.schedule_event_id,
            detail=e.detail,
        )
        for e in events
    ]
    for cut in range(1, len(log)):
        machine = Machine(definition, info)
        for event in log[:cut]:
            machine.apply(event)
        for event in log[cut:]:
            machine.next()
            machine.apply(event)
        assert machine.next() == []
        assert machine.open == []


def test_a_client_needs_no_credentials_for_it():
    """Key and secret are both the word emulator, and others are not taken."""
    with emulator.running(keys={"mine": "secret"}) as endpoint:
        with pytest.raises(Refused, match="InvalidAccessKeyID"):
            endpoint.client().list_flows()
        mine = endpoint.client(access_key_id="mine", access_key_secret="secret")
        assert not mine.list_flows()
        with pytest.raises(Invalid, match="needs its secret"):
            endpoint.client(access_key_id="mine").list_flows()
