"""A plan says what a run would do, and does none of it."""

from __future__ import annotations

from typing import Any

import pytest

import nbflow
from nbflow import Workflow, activity, workflow


@activity(cache=True)
def fetch(region: str) -> list[str]:
    print("ran", region)
    return [region] * 3


@activity(cache=True)
def total(rows: list[str], rate: float) -> float:
    return len(rows) * rate


@activity
def report(value: float) -> str:
    return f"{value}"


@workflow
def revenue(regions: list[str], rate: float = 2.0) -> Any:
    return [report(total(fetch(r), rate)) for r in regions]


@workflow
def choosing(regions: list[str]) -> Any:
    found = [fetch(r) for r in regions]
    if len(found[0].result()) > 2:
        return total(found[0], 5.0)
    return 0


def groups(plan: Any) -> dict[str, str]:
    return {line.call: line.group for line in plan.lines}


def test_nothing_is_cached_yet(capsys):
    """What does not wait runs for the first time; what takes a result is not known yet."""
    plan = nbflow.plan(revenue, ["eu"])
    assert groups(plan) == {"fetch-1": "first", "total-1": "unknown", "report-1": "plain"}
    assert (plan.reused, plan.runs, plan.unknown) == ([], ["fetch-1", "report-1"], ["total-1"])
    assert plan.whole
    assert "it takes the result of fetch-1" in plan.text()
    assert "runs for the first time (1)" in plan.text()
    assert nbflow.runs() == []
    assert "ran" not in capsys.readouterr().out


def test_what_is_cached_is_reused_and_the_rest_named(capsys):
    """After a run all but the uncached is reused; with another rate the changed call says why."""
    revenue(["eu"]).result()
    before = len(nbflow.runs())
    capsys.readouterr()
    plan = nbflow.plan(revenue, ["eu"])
    assert groups(plan) == {"fetch-1": "cached", "total-1": "cached", "report-1": "plain"}
    plan = nbflow.plan(revenue, ["eu", "us"], rate=3.0)
    assert groups(plan) == {
        "fetch-1": "cached",
        "total-1": "argument",
        "report-1": "plain",
        "fetch-2": "argument",
        "total-2": "unknown",
        "report-2": "plain",
    }
    assert "total-1  rate: 2.0 -> 3.0" in plan.text()
    assert "fetch-2  region: 'eu' -> 'us'" in plan.text()
    assert len(nbflow.runs()) == before
    assert len(nbflow.cache.list()) == 2
    assert capsys.readouterr().out == ""


def test_a_plan_and_the_run_agree():
    """What the plan says is reused, is reused; what it says runs, runs, for the same reason."""
    revenue(["eu", "us"]).result()
    for arguments in ((["eu"], 2.0), (["us", "jp"], 2.0), (["eu"], 4.0), (["eu", "jp"], 4.0)):
        plan = nbflow.plan(revenue, *arguments)
        run = revenue(*arguments)
        run.result()
        why = {line.call: line for line in run.why()}
        assert set(why) == {line.call for line in plan.lines}
        for line in plan.lines:
            if line.group == "cached":
                assert why[line.call].group == "cached"
            elif line.group != "unknown":
                assert why[line.call][:3] == line[:3]


def test_results_that_are_cached_lead_further():
    """Code that waits for a result goes on where the cache has it, and stops where not."""
    plan = nbflow.plan(choosing, ["eu", "us"])
    assert not plan.whole
    assert list(groups(plan)) == ["fetch-1", "fetch-2"]
    assert "then it depends on results" in plan.text()
    revenue(["eu", "us"]).result()
    plan = nbflow.plan(choosing, ["eu", "us"])
    assert plan.whole
    assert groups(plan) == {"fetch-1": "cached", "fetch-2": "cached", "total-1": "argument"}
    assert [node.cached for node in plan.graph if not node.join] == [True, True, False]


def test_without_cached_activities_it_is_the_graph_alone():
    """Where no activity uses the cache, nothing is said of it, and no store is opened."""

    @workflow
    def flow() -> Any:
        return [report(1.0), report(2.0)]

    text = nbflow.plan(flow).text()
    assert text.startswith("plan of flow: 2 calls (report ×2)")  # noqa: RUF001
    assert "cache" not in text


def test_class_workflows_coroutines_and_errors():
    """Every shape of workflow has a plan; what its code raises is in it."""

    class Basic(Workflow):
        name = "basic"

        def run(self, x: str) -> Any:
            return self.submit(fetch, x)

    @workflow
    async def waiting() -> Any:
        return await fetch("eu")

    @workflow
    def broken() -> Any:
        fetch("eu")
        raise ValueError("no such thing")

    assert groups(nbflow.plan(Basic, "eu")) == {"fetch-1": "first"}
    assert not nbflow.plan(waiting).whole
    plan = nbflow.plan(broken)
    assert plan.error is not None
    assert "then ValueError: no such thing" in plan.text()
    with pytest.raises(TypeError, match="regions"):
        nbflow.plan(revenue)
    with pytest.raises(nbflow.DefinitionError):
        nbflow.plan(fetch)  # type: ignore[arg-type]


def test_the_magic_gives_the_same(shell):
    """``%nbflow plan`` shows the plan of a call as it is written."""
    shell.cell("%%activity fetch(region: str) --cache", "[region]")
    shell.cell("%%workflow flow(regions: list)", "[fetch(r) for r in regions]")
    text = shell.cell("%nbflow plan flow(['eu', 'us'])")
    assert "plan of flow: 2 calls" in text
    assert "runs for the first time (2)" in text
    shell.cell("flow(['eu']).result()")
    text = shell.cell("%nbflow plan flow(['eu', 'us'])")
    assert "from the cache (1)" in text
    assert "fetch-2  region: 'eu' -> 'us'" in text
