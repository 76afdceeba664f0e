"""The programs that come with simpleflow's sources, with the import changed and nothing else.

They are not part of this project: NBFLOW_SIMPLEFLOW_EXAMPLES names the directory that has them.
What is expected is what simpleflow 0.36.0 gives: its own local executor where that can run the
program, else what the program says of itself.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nbflow.compat.simpleflow.exceptions import TaskFailed
from nbflow.compat.simpleflow.local import Executor
from nbflow.running.config import settings
from nbflow.testing import FakeClock

EXAMPLES = os.environ.get("NBFLOW_SIMPLEFLOW_EXAMPLES", "")
HEARD: dict[str, Any] = {"args": [], "kwargs": {}}
RECEIVED = [[HEARD, HEARD]]
Given = tuple[tuple[Any, ...], dict[str, Any], Any]
ANYWHERE: dict[tuple[str, str], Given] = {
    ("basic", "BasicWorkflow"): ((1,), {"t": 0}, 4),
    ("canvas", "CanvasWorkflow"): ((), {}, None),
    ("canvas", "CustomCanvasWorkflow"): ((), {}, None),
    ("child_workflow", "ParentWorkflow"): ((), {}, 5),
    ("complex", "ComplexWorkflow"): ((1, 0), {}, 10),
    ("continue_as_new", "CANWorkflow"): ((), {}, None),
    ("dyn_task_list", "BasicWorkflow"): ((), {"x": 3, "task_list": "quick"}, None),
    ("failing", "FailingWorkflow"): ((), {}, TaskFailed),
    ("jumbo_fields", "JumboFieldsWorkflow"): (("ab",), {}, None),
    ("marker", "MarkerWorkflow"): ((), {}, None),
    ("marker", "MarkerInChainWorkflow"): ((), {}, None),
    ("priorities", "WorkflowPriority1"): ((1,), {}, 2),
    ("priorities", "WorkflowPriority2"): ((1,), {}, 3),
    ("priorities", "WorkflowPriority3"): ((1,), {}, 2),
    ("priorities", "WorkflowPriority4"): ((1,), {}, 2),
    ("priorities", "WorkflowPriority5"): ((1,), {}, 4),
    ("signals", "ParentSignalsWorkflow"): ((), {}, None),
    ("signals", "ParentSignalsWorkflow2"): ((), {}, None),
    ("signals", "ParentSignalsWorkflow3"): ((), {}, None),
    ("signals", "ParentSignalsWorkflow5"): ((), {}, None),
    ("signals", "ParentSignalsWorkflow6"): ((), {}, None),
    ("signals", "WorkflowWithTwoChildren"): ((), {}, [RECEIVED, [[RECEIVED, None, None]]]),
    ("signals", "WorkflowWithChildrenSignalingIt"): ((), {}, None),
    ("step", "StepWorkflow"): ((), {}, None),
    ("step", "CustomizedStepWorkflow"): (("7",), {}, None),
    ("timer", "TimerWorkflow"): ((0, 1), {}, None),
}
"""Arguments, and the result or the error."""
SLEEPING: dict[tuple[str, str], Given] = {
    ("failing", "NotFailingWorkflow"): ((), {}, None),
    ("pirate.decider", "PirateBusiness"): ((), {"money_needed": 3}, None),
    ("signals", "CanvasSignalsWorkflow"): ((), {}, None),
    ("signals", "ParentSignalsWorkflow4"): ((), {}, None),
    ("signals", "SignalsWorkflow"): ((), {}, None),
}
"""Those that sleep for long, and so run where their sleep can be made short."""
PRINTED = {
    ("canvas", "CanvasWorkflow"): "Chain with failure in sub-subchain: [[[None]], 6]\nFinished!\n",
    ("canvas", "CustomCanvasWorkflow"): "Result: [2, 3, 4, [None]]\n",
    ("child_workflow", "ParentWorkflow"): "Final result should be: 1 + 4 = 5\n",
    ("dyn_task_list", "BasicWorkflow"): "Result: 6\n",
    ("jumbo_fields", "JumboFieldsWorkflow"): "ab * 50k has a length of: 100000\n",
    ("pirate.decider", "PirateBusiness"): "Arr! Let's go test this boat!\n",
    ("timer", "TimerWorkflow"): "Timer fired, exiting\n",
}
"""How what their workflows print ends."""

pytestmark = pytest.mark.skipif(not EXAMPLES, reason="NBFLOW_SIMPLEFLOW_EXAMPLES names nothing")


@pytest.fixture
def examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the directory of a package of the examples that imports nbflow's names."""
    for file in Path(EXAMPLES).rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        changed = re.sub(r"(?m)^(from|import) simpleflow", r"\1 nbflow.compat.simpleflow", text)
        copy = tmp_path / "examples" / file.relative_to(EXAMPLES)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(changed, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("SIMPLEFLOW_JUMBO_FIELDS_BUCKET", "a-bucket")
    return tmp_path


@pytest.fixture
def example(examples: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Any]:
    """Give a workflow of that package."""
    monkeypatch.setattr(settings, "store", examples / "store")
    for known in [known for known in sys.modules if known.partition(".")[0] == "examples"]:
        monkeypatch.delitem(sys.modules, known)
    return lambda module, name: getattr(importlib.import_module(f"examples.{module}"), name)


def check(run: Callable[[], Any], expected: Any) -> None:
    """See that something gives what is expected, or raises it."""
    if isinstance(expected, type):
        with pytest.raises(expected):
            run()
    else:
        assert run() == expected


@pytest.mark.parametrize("where", [*ANYWHERE, *SLEEPING], ids="-".join)
def test_an_example_gives_here_what_it_gives_there(
    example: Callable[[str, str], Any],
    where: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Result, error and last words of a program are those that it has with simpleflow."""
    cls = example(*where)
    for name in [name for name in sys.modules if name.startswith("examples.")]:
        if hasattr(sys.modules[name], "time"):
            monkeypatch.setattr(f"{name}.time", SimpleNamespace(sleep=lambda _: None))
    args, kwargs, expected = {**ANYWHERE, **SLEEPING}[where]
    with FakeClock(auto=True):
        check(lambda: Executor(cls).run({"args": args, "kwargs": kwargs}), expected)
    assert capsys.readouterr().out.endswith(PRINTED.get(where, ""))


def played(examples: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command of nbflow that can import the examples."""
    command = [sys.executable, "-m", "nbflow", *words]
    place = {"PYTHONPATH": f"{examples}:{Path.cwd()}", "NBFLOW_STORE": str(examples / "store")}
    env = {**os.environ, **place}
    return subprocess.run(command, check=False, capture_output=True, text=True, env=env)


@pytest.mark.slow
@pytest.mark.parametrize("where", ANYWHERE, ids="-".join)
def test_an_example_gives_on_swf_what_it_gives_there(
    examples: Path, where: tuple[str, str]
) -> None:
    """On the emulator, with processes of its own, whatever task lists the program names."""
    args, kwargs, expected = ANYWHERE[where]
    given = json.dumps({"args": args, "kwargs": kwargs})
    module, name = where
    target = f"examples.{module}:{name}"
    done = played(examples, ["standalone", target, "--simulate", "--json", "-i", given])
    if isinstance(expected, type):
        assert done.returncode == 1, done.stderr
        assert expected.__name__ in json.loads(done.stdout)["error"]
    else:
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["result"] == expected


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("where", ANYWHERE, ids="-".join)
def test_an_example_gives_on_cloudflow_what_it_gives_there(
    examples: Path, where: tuple[str, str]
) -> None:
    """On the emulator of another service, with an orchestrator and workers of its own."""
    args, kwargs, expected = ANYWHERE[where]
    module, name = where
    named = [word for key, value in kwargs.items() for word in ("--arg", f"{key}={value}")]
    given = ["-i", json.dumps(args), *named, "--on", "cloudflow", "--simulate", "--json"]
    done = played(examples, ["run", f"examples.{module}:{name}", *given])
    if isinstance(expected, type):
        assert done.returncode == 1, done.stderr
        assert f"failed: {expected.__name__}" in done.stderr
    else:
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["result"] == expected
