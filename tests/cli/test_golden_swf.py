"""Commands about executions on SWF, of one that is finished, one that failed and one that is open.

What the others print is in tests/swf/test_golden.py, on the same emulator.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("boto3")

from nbflow.services.swf import emulator
from tests.cli.conftest import Said
from tests.cli.goldens import FORMS, hold, told
from tests.swf.test_golden import STATUSES, do, furnished, masked

__all__ = ["do"]

pytestmark = pytest.mark.timeout(120)
TASK = {"finished": "double-1", "failed": "double-2", "running": "wait-1"}
CODE = ("--target", "tests.swf.test_golden:sums")
EACH: dict[str, tuple[str, ...]] = {
    "swf info": (),
    "swf tasks": (),
    "swf history": (),
    "swf task": ("{task}",),
    "swf profile": (),
    "swf rerun": ("{task}", *CODE),
    "activity rerun": CODE,
    "swf signal": ("go", "1"),
    "workflow signal": ("go", '{"n": 1}', "--id", "once"),
    "swf repair": (),
    "workflow repair": ("--workflow-id", "mended-{status}"),
    "swf resume": (),
    "workflow resume": ("--reason", "mended"),
    "workflow cancel": ("--call", "{task}"),
    "swf settle": ("{task}", "7"),
    "swf cancel": ("--reason", "enough"),
    "swf restart": (),
    "workflow restart": (),
    "swf terminate": ("--reason", "enough"),
    "workflow terminate": (),
}
"""Words that follow the execution; those that look are first, then those that change it."""
ONCE: dict[str, list[tuple[str, ...]]] = {
    "swf list": [("-d", "TestDomain"), ("-d", "TestDomain", "-s", "closed")],
    "swf filter": [("-d", "TestDomain", "-s", "closed", "--tag", "nightly")],
    "workflow filter": [("TestDomain", "-s", "closed", "-c", "FAILED")],
    "workflow start": [
        ("tests.swf.test_golden.waiting", "-d", "TestDomain", "--workflow-id", "new"),
        ("tests.swf.test_golden.sums", "-d", "TestDomain", "-i", "{"),
    ],
    "standalone": [("tests.swf.test_golden.sums",), ("no-such-file.py", "-d", "TestDomain")],
    "decider start": [("tests.swf.test_golden:sums",), ("sums.ipynb", "-d", "TestDomain")],
    "worker start": [("no_such_module:flow", "-d", "TestDomain")],
}
"""Those about no execution that there is."""


def quiet(text: str) -> str:
    """Put signs in the place of ids that are made as the test goes on."""
    text = re.sub(r"\b22[A-Z2-7]{40,}\b", "<run>", masked(text))
    text = re.sub(r"(?m)^( *\"?took\"?:? ?|,)\d+\.\d+", r"\1<n>", text)
    text = re.sub(r"(?m)^.*[│└─█].*\n|^ +0 .*\n", "", text)  # pictures are looked at elsewhere
    text = re.sub(r"(?m)^.*\bwall\b.*$|^work .*$", "<figures>", text)
    text = re.sub(r"(?m)^(double|wait),(\d+),(\d+),.*$", r"\1,\2,\3,<n>", text)
    text = re.sub(r"(?m)^(double|wait)\t(\d+)\t(\d+)\t.*$", r"\1\t\2\t\3\t<n>", text)
    text = re.sub(r"(?m)^(double|wait) +(\d+) +(\d+) .* m?s$", r"\1 \2 \3 <times>", text)
    text = re.sub(r'"(total|mean|share)": [\d.e-]+', r'"\1": <n>', text)
    return re.sub(r"\b(sums|waiting)-[0-9a-f]{8}\b", r"\1-########", text)


@pytest.fixture
def endpoint() -> Iterator[emulator.Endpoint]:
    """An emulator for each test: they change what is there."""
    with furnished() as found:
        yield found


class Site:
    """The three executions, and the commands that are about them."""

    def __init__(self, do: Callable[..., Said], endpoint: emulator.Endpoint, form: str) -> None:
        self.do, self.endpoint, self.form = do, endpoint, form
        self.runs = {status: self.latest(status, status != "running") for status in STATUSES}

    def latest(self, name: str, closed: bool) -> str:
        """Give the run id of the first closed execution of a name, or of the open one."""
        which = ("-s", "closed" if closed else "open", "--workflow-id", name)
        said = self.do("workflow.filter", "TestDomain", *which, "--format", "csv", "--no-header")
        rows = said.out.splitlines()
        return rows[-1].split(",")[1] if rows else ""

    def told(self, command: str, words: tuple[str, ...], status: str) -> str:
        """Carry out a command about an execution."""
        self.endpoint.advance(1)  # else executions of one workflow id would be equally late
        run, task = self.runs[status], TASK[status]
        which = [f"TestDomain/{status}/{run}"]
        if command == "activity rerun":
            which = ["-d", "TestDomain", "--workflow-id", status, "--run-id", run]
            which += ["--activity-id", task]
        given = [word.replace("{task}", task).replace("{status}", status) for word in words]
        said = self.do(*command.split(), *which, *given, "--format", self.form)
        self.tidy()
        return quiet(told(f"{command} {{{status}}} {' '.join(words)}", said, self.form))

    def tidy(self) -> None:
        """End what was begun by a name of ours, and have the open one be open."""
        for name in ("finished", "failed"):
            if self.latest(name, closed=False):
                self.do("workflow.terminate", "TestDomain", name)
        if not self.latest("running", closed=False):
            self.endpoint.advance(1)
            self.do("workflow.restart", f"TestDomain/running/{self.runs['running']}")
        self.runs["running"] = self.latest("running", closed=False)


@pytest.mark.parametrize("form", FORMS)
def test_commands_about_executions_say_what_was_agreed(
    do: Callable[..., Said], endpoint: emulator.Endpoint, form: str
) -> None:
    """Output, messages and exit codes, in each format."""
    site, failures = Site(do, endpoint, form), []
    for command, words in EACH.items():
        lines = [site.told(command, words, status) for status in STATUSES]
        failures.append(hold(command, form, "\n".join(lines)))
    for command, calls in ONCE.items():
        lines = []
        for given in calls:
            said = do(*command.split(), *given, "--format", form)
            lines.append(quiet(told(f"{command} {' '.join(given)}", said, form)))
        failures.append(hold(command, form, "\n".join(lines)))
    assert not any(failures), "\n".join(filter(None, failures))
