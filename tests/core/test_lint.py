"""What is found in workflow code that may differ when a run of it is resumed."""

from __future__ import annotations

import asyncio
import concurrent.futures
import datetime as dt
import os
import random
import secrets
import subprocess
import sys
import threading
import time
import timeit
import uuid
import warnings
from datetime import datetime
from pathlib import Path
from random import choice as pick
from time import sleep as nap
from typing import Any

import numpy as np
import pytest

import nbflow
from nbflow.core import lint
from nbflow.core.lint import DeterminismWarning, check

HERE = Path(__file__)
RNG = random.Random(3)
NAMES = ["a", "b"]


def found(fn: Any) -> dict[str, str]:
    """Give what is found, with the advice."""
    return {finding.what: finding.advice for finding in check(fn)}


@nbflow.activity
def fetch(x: Any) -> Any:
    """Use all that an activity may use."""
    return time.time() + random.random() + len(os.environ) + x


def clocks(x: Any) -> None:
    """Look at clocks."""
    time.time()
    time.perf_counter()
    datetime.now()  # noqa: DTZ005
    dt.datetime.utcnow()  # noqa: DTZ003
    dt.date.today()  # noqa: DTZ011
    time.gmtime()


def chance(x: Any) -> None:
    """Draw by chance."""
    random.random()
    pick(x)
    np.random.rand(3)  # noqa: NPY002
    np.random.default_rng()
    random.Random()
    uuid.uuid4()
    uuid.uuid1()
    os.urandom(3)
    secrets.token_hex()


def outside(x: Any) -> None:
    """Reach outside."""
    open("x")  # noqa: PTH123, SIM115
    HERE.read_text()
    Path("x").exists()
    path = Path(x)
    path.write_text("y")
    subprocess.run(["ls"], check=False)
    os.environ["HOME"]
    os.environ.get("HOME")
    os.getenv("HOME")
    input()
    import socket

    socket.create_connection(("localhost", 1))
    from urllib.request import urlopen

    urlopen(x)


def waiting(x: Any) -> None:
    """Wait, and do several things at once."""
    time.sleep(1)
    nap(1)
    threading.Thread(target=x).start()
    concurrent.futures.ThreadPoolExecutor()


async def asyncs(x: Any) -> None:
    """Await what is not a call."""
    await asyncio.to_thread(x)
    asyncio.run(x)
    await asyncio.create_subprocess_exec("ls")
    await asyncio.gather(x)
    await asyncio.wait_for(x, 1)
    await asyncio.sleep(1)


def orders(x: Any) -> Any:
    """Depend on the order of sets."""
    for a in {"p", "q"}:  # noqa: PLC0208 - what is found
        print(a)
    some = set(x)
    more = [fetch(b) for b in some | {x}]
    return more, list({str(c) for c in x}), [*frozenset(x)]


@pytest.mark.parametrize(
    ("fn", "what"),
    [
        (
            clocks,
            {
                "time.time()": "write nbflow.now()",
                "time.perf_counter()": "write nbflow.now()",
                "datetime.now()": "write nbflow.now()",
                "dt.datetime.utcnow()": "write nbflow.now()",
                "dt.date.today()": "write nbflow.now().date()",
                "time.gmtime()": "write nbflow.now()",
            },
        ),
        (
            chance,
            {
                "random.random()": "write nbflow.random()",
                "pick()": "write nbflow.random()",
                "np.random.rand()": "write nbflow.random(), or seed numpy by it",
                "np.random.default_rng()": "write nbflow.random(), or seed numpy by it",
                "random.Random()": "write nbflow.random()",
                "uuid.uuid4()": "write nbflow.uuid4()",
                "uuid.uuid1()": "write nbflow.uuid4()",
                "os.urandom()": "write nbflow.random()",
                "secrets.token_hex()": "write nbflow.random()",
            },
        ),
        (
            outside,
            {
                **dict.fromkeys(
                    [
                        "open()",
                        "HERE.read_text()",
                        "Path('x').exists()",
                        "path.write_text()",
                        "subprocess.run()",
                        "socket.create_connection()",
                        "urlopen()",
                    ],
                    "put it into an activity",
                ),
                **dict.fromkeys(
                    ["os.environ", "os.environ.get()", "os.getenv()"],
                    "pass it as an argument, or write nbflow.side_effect(os.getenv, ...)",
                ),
                "input()": "ask before the run, and pass the answer as an argument",
            },
        ),
        (
            waiting,
            {
                "time.sleep()": "write nbflow.sleep()",
                "nap()": "write nbflow.sleep()",
                "threading.Thread()": "put it into an activity",
                "concurrent.futures.ThreadPoolExecutor()": "put it into an activity",
            },
        ),
        (
            asyncs,
            {
                "asyncio.to_thread()": "put it into an activity",
                "asyncio.run()": "put it into an activity",
                "asyncio.create_subprocess_exec()": "put it into an activity",
            },
        ),
        (
            orders,
            dict.fromkeys(
                [
                    "iteration over {'p', 'q'}",
                    "iteration over some | {x}",
                    "iteration over {str(c) for c in x}",
                    "iteration over frozenset(x)",
                ],
                "write sorted(...)",
            ),
        ),
    ],
    ids=["clocks", "chance", "outside", "waiting", "asyncs", "orders"],
)
@pytest.mark.case("U25")
def test_what_may_differ_is_found(fn: Any, what: dict[str, str]) -> None:
    """Each use is named as it is written, under whatever name it was imported, with the cure."""
    assert found(fn) == what


def harmless(x: Any, time: Any, *, secrets: str = "") -> Any:
    """Use the same names for other things."""
    time.time()
    time.sleep(3)
    open = fetch  # noqa: A001 - what is tested
    open(x)
    random = {"random": len}
    random.get("random")
    rng = np.random.default_rng(7)
    rng.random()
    RNG.random()
    dt.datetime(2020, 1, 1)  # noqa: DTZ001
    dt.datetime.fromisoformat(x)
    Path("a") / "b"
    os.path.join("a", "b")  # noqa: PTH118
    wanted = {"p", "q"}
    if x in wanted or x in {"r", "s"}:
        return secrets
    for number in {1, 2, 3}:  # noqa: PLC0208 - numbers are in order
        print(number)
    for name in sorted(wanted):
        print(name)
    return [fetch(name) for name in sorted({n.lower() for n in NAMES})]


def good(x: Any) -> Any:
    """Use the helpers, and hand what differs to a side effect."""

    def machine() -> str:
        return os.environ["HOME"] + str(time.time())

    nbflow.sleep(1)
    when = nbflow.now().isoformat()
    home = nbflow.side_effect(machine)
    lucky = nbflow.side_effect(lambda: random.random() + time.time())
    token = nbflow.side_effect(secrets.token_hex, 8)
    return [fetch(x), when, home, lucky, token, nbflow.uuid4(), nbflow.random().choice(NAMES)]


def inner_activity(x: Any) -> Any:
    """Define an activity on the spot."""

    @nbflow.activity
    def inside() -> float:
        return time.time()

    return inside()


@pytest.mark.parametrize("fn", [harmless, good, inner_activity], ids=lambda fn: fn.__name__)
def test_there_are_no_false_alarms(fn: Any) -> None:
    """Shadowed names, seeded chance, ordered sets, activities and side effects are fine."""
    assert found(fn) == {}


def helper(x: Any) -> Any:
    """Be called by workflow code."""
    return deeper(x)


def deeper(x: Any) -> Any:
    """Be called by a helper."""
    return time.time() if x else helper(x)


def test_plain_functions_that_are_called_count() -> None:
    """A helper is workflow code, too, however deep, and even if it calls itself."""

    def flow(x: Any) -> Any:
        return fetch(helper(x))

    def hands_on(x: Any) -> Any:
        return nbflow.side_effect(helper, x)

    (finding,) = check(flow)
    assert finding.line == deeper.__code__.co_firstlineno + 2
    assert finding.where == f"test_lint.py, line {finding.line}"
    assert check(hands_on) == []


def test_a_comment_silences_its_line() -> None:
    """``# nbflow: ok`` holds for the line that it is on, and for no other."""

    def flow() -> Any:
        first = time.time()  # nbflow: ok
        return first, time.monotonic()  # not ok

    assert list(found(flow)) == ["time.monotonic()"]


def test_code_without_source_is_let_alone() -> None:
    """What has no source, or is no function of Python's, gives no findings and no error."""
    space: dict[str, Any] = {"time": time}
    exec("def flow():\n    return time.time()", space)
    assert check(space["flow"]) == []
    assert check(len) == []
    assert check(lambda: time.time() + 1) == []


def test_definitions_warn_at_the_line() -> None:
    """The decorator and the class warn with the file and line of the use; once each."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")

        @nbflow.workflow
        def flow() -> Any:
            return time.time()

        class Basic(nbflow.Workflow):
            name = "basic"

            def run(self) -> Any:
                return random.random()

    assert [w.category for w in caught] == [DeterminismWarning, DeterminismWarning]
    assert [Path(w.filename).name for w in caught] == ["test_lint.py", "test_lint.py"]
    assert caught[0].lineno == flow.fn.__code__.co_firstlineno + 2
    assert caught[1].lineno == Basic.run.__code__.co_firstlineno + 1
    assert str(caught[0].message) == (
        "workflow flow: time.time() may differ when a run is resumed: write nbflow.now()"
    )
    assert str(caught[1].message).startswith("workflow basic: random.random()")


def test_lint_can_be_switched_off() -> None:
    """``lint=False`` says nothing, and the workflow is the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        @nbflow.workflow(lint=False)
        def flow() -> Any:
            return time.time()

        class Basic(nbflow.Workflow, lint=False):
            def run(self) -> Any:
                return time.time()

        class Further(Basic):
            """Has no code of its own."""

    assert isinstance(flow().result(30), float)
    assert isinstance(Further.start().result(30), float)
    assert list(found(flow)) == ["time.time()"]
    assert list(found(Basic)) == ["time.time()"]


def test_a_reporter_is_told_instead() -> None:
    """Whoever shows findings in another way gets them, and Python's warnings stay quiet."""
    told: list[Any] = []
    lint.reporters.append(lambda name, findings: told.append((name, [str(f) for f in findings])))
    try:

        @nbflow.workflow
        def flow() -> Any:
            return time.time()
    finally:
        lint.reporters.pop()
    assert told == [("flow", ["time.time() may differ when a run is resumed: write nbflow.now()"])]


def test_a_usual_workflow_takes_less_than_a_millisecond() -> None:
    """Code with nothing suspicious in it is not even parsed."""

    def usual(regions: list[str], rate: float = 1.0) -> dict[str, Any]:
        parts = {region: fetch(region) for region in regions}
        total = fetch(nbflow.gather(*parts.values()))
        if total.result() > rate:
            nbflow.sleep(3)
            for future in nbflow.as_completed(parts.values()):
                print(future.result())
        return {"at": nbflow.now(), "total": total, **parts}

    assert check(usual) == []
    best = min(timeit.repeat(lambda: check(usual), number=20, repeat=5)) / 20
    assert best < 0.001
    assert "numpy" in sys.modules
