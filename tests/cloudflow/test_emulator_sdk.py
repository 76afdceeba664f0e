"""The emulator, spoken to by Alibaba Cloud's own library for the service, as it is."""

from __future__ import annotations

import asyncio
import fcntl
import inspect
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("alibabacloud_fnf20190315")

from alibabacloud_fnf20190315 import models
from alibabacloud_fnf20190315.client import Client
from alibabacloud_tea_openapi.utils_models import Config
from Tea.exceptions import TeaException

from nbflow.services.cloudflow import emulator
from tests.cloudflow.calls import DOUBLED, FLOW, double, furnish, snake

ROOT = Path(__file__).parents[2]
OPERATIONS = sorted(
    name.removesuffix("_with_options")
    for name, _ in inspect.getmembers(Client, inspect.isfunction)
    if name.endswith("_with_options")
)
PASCAL = {name: "".join(part.capitalize() for part in name.split("_")) for name in OPERATIONS}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


def sdk(endpoint: emulator.Endpoint, secret: str = "emulator") -> Client:
    keys = {"access_key_id": "emulator", "access_key_secret": secret}
    return Client(Config(**keys, endpoint=endpoint.host, protocol="HTTP"))


def request(operation: str, given: dict):
    """Make the SDK's request; objects inside are the SDK's, too."""
    made = getattr(models, f"{operation}Request")()
    wire = {}
    for name, value in given.items():
        key = "".join(part.capitalize() for part in name.split("_"))
        wire[key] = value
        if name == "environment":
            wire[key] = {
                "Variables": [{k.capitalize(): v for k, v in value["variables"][0].items()}]
            }
        if name == "routing_configurations":
            wire[key] = [{k.capitalize(): v for k, v in each.items()} for each in value]
    return made.from_map(wire)


def test_the_library_has_29_operations():
    """If the library gains one, the tests below have to know it."""
    assert len(OPERATIONS) == 29


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_is_answered_and_every_answer_read(operation: str, way: str):
    """The body is made of what was sent, with a request id, and nothing in it is unknown."""
    with emulator.running(functions={"double": double}, frozen=True) as endpoint:
        given = furnish(endpoint)[PASCAL[operation]]
        client, made = sdk(endpoint), request(PASCAL[operation], given)
        if way == "sync":
            answer = getattr(client, operation)(made)
        else:
            answer = asyncio.run(getattr(client, f"{operation}_async")(made))
    assert answer.status_code == 200
    body = answer.body.to_map()
    assert body["RequestId"]
    for name in ("FlowName", "ExecutionName", "ScheduleName", "MapRunName"):
        asked = given.get(snake(name))
        assert asked is None or body.get(name, asked) == asked
    lists = [value for value in body.values() if isinstance(value, list)]
    assert all(lists), "a list that was furnished came back empty"


def test_errors_are_the_library_s_own_kinds():
    """Code, message, request id and advice are where the library's users look for them."""
    with emulator.running() as endpoint:
        client = sdk(endpoint)
        with pytest.raises(TeaException) as caught:
            client.describe_flow(models.DescribeFlowRequest(name="nothing"))
        assert caught.value.code == "FlowNotExists"
        assert caught.value.data["Recommend"].startswith("https://")
        assert caught.value.data["RequestId"]
        with pytest.raises(TeaException) as caught:
            sdk(endpoint, "wrong").describe_flow(models.DescribeFlowRequest(name="nothing"))
        assert caught.value.code == "SignatureNotMatch"
        with pytest.raises(TeaException) as caught:
            client.describe_flow(models.DescribeFlowRequest())
        assert caught.value.code == "MissingRequiredParams"


def test_the_samples_of_the_documentation_run():
    """CreateFlow, DescribeFlow and StartExecution with a token, as they are printed there."""
    with emulator.running(functions={"double": double}) as endpoint:
        client = sdk(endpoint)
        client.create_flow(
            models.CreateFlowRequest(name="order", definition=FLOW, description="", type="FDL")
        )
        client.create_flow(
            models.CreateFlowRequest(name="doubled", definition=DOUBLED, description="", type="FDL")
        )
        found = client.describe_flow(models.DescribeFlowRequest(name="order"))
        assert found.body.definition == FLOW
        client.start_execution(models.StartExecutionRequest(flow_name="order", execution_name="o"))
        # The flow reads $Input.n, so this one fails; one with an input waits for its callback.
        ask = {"flow_name": "order", "execution_name": "p", "input": '{"n":1}'}
        client.start_execution(models.StartExecutionRequest(**ask))
        message = endpoint.receive("work", wait=10)
        assert message is not None
        token = json.loads(message["body"])["token"]
        child = {"flow_name": "doubled", "execution_name": "d", "input": '{"n":21}'}
        client.start_execution(models.StartExecutionRequest(**child, callback_fn_ftask_token=token))
        wait = models.DescribeExecutionRequest("p", "order", wait_time_seconds=9)
        done = client.describe_execution(wait)
        assert (done.body.status, json.loads(done.body.output)) == ("Succeeded", {"n": 42})


OLDER = """
import asyncio, sys
from alibabacloud_fnf20190315 import models
from alibabacloud_fnf20190315.client import Client
from alibabacloud_tea_openapi.models import Config
given = dict(access_key_id="emulator", access_key_secret="emulator")
client = Client(Config(**given, endpoint=sys.argv[1], protocol="HTTP"))
flow = models.CreateFlowRequest(name="order", definition=sys.argv[2], description="", type="FDL")
client.create_flow(flow)
client.start_execution(models.StartExecutionRequest("", "o-1", "order", '{"n":1}'))
ask = models.DescribeExecutionRequest("o-1", "order")
print(asyncio.run(client.describe_execution_async(ask)).body.status)
ask = models.GetExecutionHistoryRequest("o-1", "order")
print(len(client.get_execution_history(ask).body.events))
print(client.list_flows(models.ListFlowsRequest()).body.flows[0].name)
"""


def older() -> Path:
    """Give a folder that has the library's 1.1.3, fetched once; skip where it cannot be had."""
    folder = ROOT / ".venv-kernels" / f"fnf-1.1.3-{sys.version_info[0]}.{sys.version_info[1]}"
    folder.parent.mkdir(exist_ok=True)
    stamp = folder / "complete"
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may want it
        if not stamp.exists():
            shutil.rmtree(folder, ignore_errors=True)
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            wanted = ["--target", str(folder), "alibabacloud-fnf20190315==1.1.3"]
            got = subprocess.run([*pip, *wanted], capture_output=True, text=True, check=False)
            if got.returncode:
                pytest.skip(f"1.1.3 cannot be installed here: {got.stderr[-300:]}")
            stamp.touch()
    return folder


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_older_library_is_answered_too():
    """1.1.3, which knows less, reads the same answers; where it cannot be had, this is skipped."""
    folder = older()
    with emulator.running() as endpoint:
        env = {k: v for k, v in os.environ.items() if "PROXY" not in k.upper()}
        env |= {"PYTHONPATH": str(folder), "PYTHONNOUSERSITE": "1"}
        command = [sys.executable, "-c", OLDER, endpoint.host, FLOW]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    status, events, name = done.stdout.split()
    assert (status, name) == ("Running", "order")
    assert int(events) >= 4
