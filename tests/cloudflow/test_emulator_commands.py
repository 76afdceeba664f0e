"""``nbflow cloudflow`` and ``nbflow emulator cloudflow``, on the emulator."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("alibabacloud_tea_openapi")

from nbflow.cli.app import main
from nbflow.services.cloudflow import emulator
from nbflow.services.cloudflow.client import CloudFlow
from tests.cloudflow.calls import DOUBLED, FLOW, MAPPED, double


class Shell:
    """Runs command lines; gives code, what was printed, and what was said."""

    def __init__(self, capsys: pytest.CaptureFixture, folder: Path) -> None:
        self._capsys, self.folder = capsys, folder

    def run(self, *words: str) -> tuple[int, str, str]:
        code = main(["cloudflow", *words])
        out, err = self._capsys.readouterr()
        return code, out, err

    def data(self, *words: str):
        code, out, err = self.run(*words, "--json")
        assert code == 0, err
        return json.loads(out)

    def file(self, text: str) -> str:
        path = self.folder / f"{len(list(self.folder.iterdir()))}.yaml"
        path.write_text(text)
        return str(path)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with emulator.running(functions={"double": double}) as found:
        monkeypatch.setenv("NBFLOW_CLOUDFLOW_ENDPOINT", found.url)
        yield found


@pytest.fixture
def shell(endpoint: emulator.Endpoint, capsys: pytest.CaptureFixture, tmp_path: Path) -> Shell:
    return Shell(capsys, tmp_path)


def test_flows_are_made_shown_changed_and_deleted(shell: Shell):
    """The life of a flow; deleting asks unless it is told not to."""
    path = shell.file(DOUBLED)
    assert shell.data("create", "doubled", path, "--description", "d")["mode"] == "Standard"
    assert [flow["name"] for flow in shell.data("flows")] == ["doubled"]
    assert shell.data("flow", "doubled")["definition"] == DOUBLED
    assert shell.data("update", "doubled", "--description", "e")["description"] == "e"
    code, _, said = shell.run("update", "doubled")
    assert (code, "nothing to change" in said) == (2, True)
    assert shell.run("delete", "doubled", "--yes")[0] == 0
    code, _, said = shell.run("flow", "doubled")
    assert code == 3
    assert said.startswith("nbflow: CloudFlow refused DescribeFlow: FlowNotExists")


def test_versions_aliases_and_schedules_are_kept(shell: Shell):
    """Publish, route, route again, list and delete; a time table is made, changed and deleted."""
    shell.run("create", "order", shell.file(FLOW))
    assert shell.data("publish", "order", "--description", "first")["version"] == "1"
    shell.data("publish", "order")
    assert shell.data("route", "order", "prod", "1=100")["versions"] == {"1": 100}
    assert shell.data("route", "order", "prod", "1=90", "2=10")["versions"] == {"1": 90, "2": 10}
    assert [a["alias"] for a in shell.data("aliases", "order")] == ["prod"]
    assert shell.run("route", "order", "prod", "2")[0] == 2
    code, _, said = shell.run("route", "order", "prod", "2=99")
    assert (code, "come to 99, and must to 100" in said) == (1, True)
    assert shell.data("aliases", "order", "--delete", "prod") == []
    assert [v["version"] for v in shell.data("versions", "order", "--delete", "1")] == ["2"]
    made = ("schedule", "order", "daily", "--at", "0 30 9 * * *", "--payload", '{"n": 1}')
    assert shell.data(*made)["enabled"] is True
    assert shell.data("schedule", "order", "daily", "--disable")["enabled"] is False
    assert shell.data("schedules", "order")[0]["payload"] == '{"n":1}'
    assert shell.run("schedule", "order", "daily", "--delete")[0] == 0
    assert shell.run("schedule", "order", "daily")[0] == 3


def test_executions_are_started_watched_and_ended(shell: Shell, endpoint: emulator.Endpoint):
    """Start and wait, report, stop; a failure is code 1 and says why."""
    shell.run("create", "doubled", shell.file(DOUBLED))
    shell.run("create", "order", shell.file(FLOW))
    given = shell.file('{"n": 4}')
    start = ("start", "doubled", "--input", f"@{given}", "--name", "d", "--wait")
    assert shell.data(*start)["output"] == '{"n": 8}'
    code, _, said = shell.run("start", "doubled", "--input", "{}", "--name", "e", "--wait")
    assert code == 1
    assert "execution e: Failed: KeyError: 'n'" in said
    shell.data("start", "order", "--name", "o", "--input", '{"n": 1}')
    message = endpoint.receive("work", wait=20)
    assert message is not None
    token = json.loads(message["body"])["token"]
    assert shell.run("report", token)[0] == 2
    assert shell.run("report", token, "--output", '{"ok": 1}')[0] == 0
    assert shell.data("execution", "order", "o", "--wait", "20")["output"] == '{"ok": 1}'
    assert shell.data("history", "order", "o")[-1]["type"] == "ExecutionSucceeded"
    shell.data("start", "order", "--name", "p", "--input", '{"n": 1}')
    code, _, said = shell.run("start", "order", "--name", "p", "--timeout", "0")
    assert (code, "is not over after 0 s" in said) == (1, True)
    assert shell.data("stop", "order", "p", "--error", "Enough")["status"] == "Stopped"
    found = shell.data("executions", "order", "--status", "Stopped")
    assert [each["execution"] for each in found] == ["p"]


def test_express_flows_and_map_runs(shell: Shell):
    """An express flow answers with its result; a map run is shown and changed."""
    shell.run("create", "doubled", shell.file(DOUBLED), "--express")
    assert shell.data("start", "doubled", "--input", '{"n": 4}')["status"] == "Succeeded"
    assert shell.run("start", "doubled", "--input", "{}")[0] == 1
    shell.run("create", "mapped", shell.file(MAPPED))
    shell.data("start", "mapped", "--name", "m", "--input", '{"items": [{"v": 1}, {"v": 2}]}')
    found = shell.data("map-run", "mapped", "m", "each", "--concurrency", "5", "--tolerate", "1")
    assert (found["concurrency"], found["tolerated"], found["items"]["Total"]) == (5, 1, 2)


def test_what_is_missing_is_said(shell: Shell, monkeypatch: pytest.MonkeyPatch):
    """A file, or where the service is: one line, and what to do."""
    code, _, said = shell.run("create", "order", str(shell.folder / "none.yaml"))
    assert (code, said.count("\n")) == (3, 1)
    assert "cannot be read" in said
    monkeypatch.delenv("NBFLOW_CLOUDFLOW_ENDPOINT")
    monkeypatch.delenv("ALIBABA_CLOUD_REGION_ID", raising=False)
    code, _, said = shell.run("flows")
    assert (code, "give region= or endpoint=" in said) == (1, True)


def test_the_emulator_is_a_command_too(tmp_path: Path):
    """It prints its address, keeps its data in a file, and ends with code 0 when told."""
    command = [sys.executable, "-m", "nbflow", "emulator", "cloudflow", "--data"]
    command += [str(tmp_path / "data"), "--function", "double=cat", "--limit", "rates=0"]
    env = {k: v for k, v in os.environ.items() if "PROXY" not in k.upper()}
    for expected in ([], ["order"]):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as child:
            assert child.stdout is not None
            client = CloudFlow(child.stdout.readline().strip())
            assert [flow.name for flow in client.list_flows()] == expected
            if not expected:
                client.create_flow("order", FLOW)
            child.send_signal(signal.SIGTERM)
            assert child.wait(20) == 0
