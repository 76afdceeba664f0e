"""Commands about flows on CloudFlow: with executions that succeeded, failed and are running."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("alibabacloud_tea_openapi")

from nbflow.services.cloudflow import emulator
from tests.cli.conftest import Said
from tests.cli.goldens import FORMS, hold, told
from tests.cloudflow.calls import DOUBLED, FLOW, MAPPED, double

pytestmark = pytest.mark.timeout(120)
FLOWING = """
import nbflow

@nbflow.activity
def half(x: int) -> int:
    return x // 2

@nbflow.workflow
def halves(count: int) -> list:
    return [half(n) for n in range(count)]
"""
STATES = {
    "finished": ("doubled", "good"),
    "failed": ("doubled", "bad"),
    "running": ("order", "open"),
}
LOOKING: dict[str, list[str]] = {
    "flows": [""],
    "flow": ["doubled", "order --at 1", "no-such-flow"],
    "versions": ["order", "doubled"],
    "aliases": ["order", "doubled"],
    "schedules": ["order", "doubled"],
    "executions": ["doubled", "doubled --status Failed", "order --status Running", "mapped"],
    "execution": ["{finished}", "{failed}", "{running}", "order no-such-execution"],
    "history": ["{finished}", "{failed}", "{running}"],
    "map-run": ["mapped many each", "mapped many each --tolerate 2", "{running} each"],
    "fdl": ["halving:halves --arg count=2", "halving:halves --arg count=2 -o flows-{form}"],
    "package": ["halving.py -o made-{form}.zip", "no-such-file.py"],
    "worker": ["--queue q", "--values kept"],
    "orchestrator": ["--queue q", "--values kept"],
}
"""Words behind each command; these change nothing of what the others show."""
ACTING: dict[str, list[str]] = {
    "create": ["made made.yaml --description new", "made made.yaml", "other none.yaml"],
    "update": ["made --description changed", "made"],
    "publish": ["made --description first", "no-such-flow"],
    "route": ["made prod 1=100", "made prod 1", "made prod 1=90"],
    "schedule": [
        "made daily",
        "made daily --at '0 30 9 * * *' --payload '{{\"n\": 1}}'",
        "made daily --disable",
        "made daily --delete",
    ],
    "start": [
        "made --name one --input '{{\"n\": 4}}' --wait",
        "made --name two --input '{{}}' --wait",
        "made --name three --input '{{'",
        "order --name four --input '{{\"n\": 1}}' --timeout 0",
    ],
    "report": ["{token} --output '{{\"ok\": 1}}'", "{token}", "no-such-token --error Bad"],
    "stop": ["{finished}", "{failed}", "{running} --error Enough --cause late"],
    "deploy": ["halving:halves --arg count=2", "halving:halves --arg count=2 --publish"],
    "delete": ["made --yes", "made --yes"],
}


@pytest.fixture
def site(
    do: Callable[..., Said], place: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, str]]:
    """An emulator with flows and executions; the words by which these are named."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    (place / "made.yaml").write_text(DOUBLED.replace("doubled", "made"))
    (place / "halving.py").write_text(FLOWING)
    monkeypatch.setattr(sys, "path", [str(place), *sys.path])
    sys.modules.pop("halving", None)
    with emulator.running(functions={"double": double}) as endpoint:
        monkeypatch.setenv("NBFLOW_CLOUDFLOW_ENDPOINT", endpoint.url)
        client = endpoint.client()
        client.create_flow("order", FLOW)
        client.create_flow("doubled", DOUBLED)
        client.create_flow("mapped", MAPPED)
        client.publish_flow_version("order", "first")
        client.create_flow_alias("order", "prod", {"1": 100})
        client.create_schedule("order", "daily", "0 30 9 * * *", {"n": 1})
        client.start_execution("doubled", "good", {"n": 4})
        client.wait("doubled", "good", 20)
        client.start_execution("doubled", "bad", {})
        client.wait("doubled", "bad", 20)
        client.start_execution("order", "open", {"n": 1})
        assert endpoint.receive("work", wait=20) is not None
        client.start_execution("order", "asked", {"n": 2})
        message = endpoint.receive("work", wait=20)
        assert message is not None
        client.start_execution("mapped", "many", {"items": [{"v": 1}, {"v": 2}]})
        words = {status: " ".join(names) for status, names in STATES.items()}
        yield {**words, "token": json.loads(message["body"])["token"]}


def quiet(text: str, site: dict[str, str], place: Path) -> str:
    """Put signs in the place of what differs: times, tokens, ports and ids."""
    text = text.replace(site["token"], "<token>").replace(str(place), "<dir>")
    text = re.sub(r"\d{4}-\d\d-\d\d[T ][\d:.]+(Z|\+00:00)?", "<time>", text)
    text = re.sub(r"\b\d\d:\d\d:\d\d\b", "<time>", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:<port>", text)
    return re.sub(r"\b[0-9A-Fa-f]{8}-[0-9A-Fa-f-]{27}\b|\b[0-9a-f]{32}\b", "<id>", text)


@pytest.mark.parametrize("form", FORMS)
def test_commands_about_flows_say_what_was_agreed(
    do: Callable[..., Said], place: Path, site: dict[str, str], form: str
) -> None:
    """Output, messages and exit codes, in each format."""
    failures = []
    for command, calls in {**LOOKING, **ACTING}.items():
        lines = []
        for words in calls:
            filled = words.format(**site, form=form)
            said = do("cloudflow", command, *shlex.split(filled), "--format", form)
            lines.append(quiet(told(f"cloudflow {command} {words}", said, form), site, place))
        failures.append(hold(f"cloudflow {command}", form, "\n".join(lines)))
    assert not any(failures), "\n".join(filter(None, failures))
