"""Workflows written as flows give what they give as runs."""

from __future__ import annotations

import json
import sys
import zipfile
from functools import cache
from random import Random
from statistics import mean
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nbflow
from nbflow.core.errors import DefinitionError
from nbflow.services.cloudflow import emulator, fc_handler
from nbflow.services.cloudflow.export.order import Beside, Series, calls_of, length, ordered
from nbflow.services.cloudflow.export.write import Export, Exported, to_fdl
from nbflow.services.cloudflow.interpret.local import LocalFlows
from tests.cloudflow.exported import hopeless, kind, lost, mix, shaky, total
from tests.cloudflow.flows import survives


def done(exported: Exported):
    """Run exported flows with the handler that is deployed; give the execution and the flows."""
    name = exported.definition.name

    def call(body):
        return json.loads(fc_handler.handler(json.dumps(body).encode()))

    flows = LocalFlows({**exported.flows, name: exported.definition}, {"nbflow": call})
    execution = flows.start(name)
    flows.run()
    return execution, flows


@st.composite
def graphs(draw, most: int = 14):
    """Give for each call the earlier ones that it takes the results of."""
    count = draw(st.integers(1, most))
    return [
        sorted(draw(st.sets(st.integers(0, number - 1), max_size=3))) if number else []
        for number in range(count)
    ]


def workflow_of(needs: list[list[int]]):
    """Make a workflow of calls that need each other so."""

    @nbflow.workflow(name="mixed")
    def mixed():
        found: list[Any] = []
        for number, direct in enumerate(needs):
            found.append(mix(number, *[found[need] for need in direct]))
        return {"last": found[-1], "all": found}

    return mixed


def computed(needs: list[list[int]]):
    """Compute what `workflow_of` gives."""
    found: list[int] = []
    for number, direct in enumerate(needs):
        found.append(mix.fn(number, *[found[need] for need in direct]))
    return {"last": found[-1], "all": found}


@settings(max_examples=200, deadline=None)
@given(graphs(), st.sampled_from([2, 3, 5, 600]))
def test_random_graphs_give_the_results_of_the_run(needs, most):
    """Whatever the graph, with and without sub-flows, the flow gives what the workflow does."""
    exported = to_fdl(workflow_of(needs), export=Export(most_calls=most))
    execution, _ = done(exported)
    assert execution.result() == {"result": computed(needs)}


def test_a_local_run_gives_the_same():
    """What a flow gives is what a run on this machine gives."""
    needs = [[], [], [0], [0, 1], [2, 3], [3]]
    flow = workflow_of(needs)
    run = flow.on("inline").start()
    assert done(to_fdl(flow))[0].result() == {"result": run.result()}


@given(graphs(24), st.sampled_from([None, 0.0, 1.0]))
def test_trees_keep_the_order(needs, known):
    """Each call is in the tree once, behind all that it needs, whatever is known of its times."""
    tree = ordered(needs, None if known is None else [[known] * len(needs)])
    assert sorted(calls_of(tree)) == list(range(len(needs)))
    begun: dict[int, int] = {}

    def walk(part, at):
        if isinstance(part, int):
            begun[part] = at
            return at + 1
        if isinstance(part, Beside):
            return max(walk(inner, at) for inner in part.parts)
        for inner in part.parts:
            at = walk(inner, at)
        return at

    walk(tree, 0)
    assert all(begun[need] < begun[n] for n, direct in enumerate(needs) for need in direct)
    assert length(tree, [1] * len(needs)) >= longest(needs, [1] * len(needs))


def longest(needs, seconds):
    """Give the length of the longest way through a graph."""
    ends: list[float] = []
    for number, direct in enumerate(needs):
        ends.append(seconds[number] + max((ends[need] for need in direct), default=0))
    return max(ends)


def random_graph(rng: Random, count: int, share: float) -> list[list[int]]:
    """Give a graph in which so many of the pairs are edges."""
    return [[m for m in range(n) if rng.random() < share] for n in range(count)]


GRAPHS = [(20, 0.15), (50, 0.06), (50, 0.15), (100, 0.03)]
"""Calls, and the share of their pairs that are edges."""


def waves(needs, seconds):
    """Give how long it takes if each level waits for the one before."""
    level: list[int] = []
    for direct in needs:
        level.append(1 + max((level[need] for need in direct), default=-1))
    rows = range(max(level) + 1)
    return sum(max(s for n, s in enumerate(seconds) if level[n] == r) for r in rows)


@cache
def trees():
    """Give random graphs, each with its tree."""
    found = []
    for count, share in GRAPHS:
        rng = Random(count)
        found += [random_graph(rng, count, share) for _ in range(10)]
    return [(needs, ordered(needs)) for needs in found]


def ratios(draw, *, known: bool = False) -> tuple[float, float]:
    """Give how much longer than the critical path flows are, and levels that wait; on average."""
    ours, levels = [], []
    rng = Random(1)
    for needs, tree in trees():
        for _ in range(1 if known else 5):
            seconds = [draw(rng) for _ in needs]
            found = ordered(needs, [seconds]) if known else tree
            ours.append(length(found, seconds) / longest(needs, seconds))
            levels.append(waves(needs, seconds) / longest(needs, seconds))
    return mean(ours), mean(levels)


@pytest.mark.parametrize(
    ("draw", "most"),
    [
        (lambda _: 1.0, 1.05),
        (lambda rng: rng.random(), 1.2),
        (lambda rng: rng.lognormvariate(0, 0.5), 1.2),
        (lambda rng: rng.lognormvariate(0, 1), 1.25),
        (lambda rng: rng.expovariate(1), 1.25),
    ],
    ids=["equal", "uniform", "log-normal, little", "log-normal", "exponential"],
)
def test_barriers_cost_little(draw, most: float):
    """The longest way with barriers is at most 1.25 times the critical path, on average.

    Of graphs of 20 to 100 calls, of which nothing is known but what needs what, whatever the times
    are; levels that wait for each other cost more than twice as much of it.
    """
    ours, levels = ratios(draw)
    assert 1 <= ours <= most
    assert ours - 1 <= 0.6 * (levels - 1) or levels == 1


def test_known_times_make_barriers_cost_next_to_nothing():
    """If it is known how long calls take, the longest way is hardly longer than it has to be."""
    ours, levels = ratios(lambda rng: rng.lognormvariate(0, 1), known=True)
    assert ours <= 1.1
    assert levels >= 1.5


@nbflow.workflow
def crossed():
    """Have an N: the third needs the first, the fourth the first two."""
    one, two = mix(1), total([2])
    return [total([one]), mix(3, one, two)]


def branches(exported: Exported) -> list[list[str]]:
    """Give what stands beside each other at the top of a flow, by the keys of calls."""
    states = exported.definition.to_dict()["States"]
    return [
        sorted(s["Name"] for b in state["Branches"] for s in b["States"])
        if "Branches" in state
        else [state["Name"]]
        for state in states[:-1]
    ]


def test_times_that_are_given_say_where_barriers_are():
    """By id or by activity; what is not known is guessed, and what is no time is refused."""
    first = to_fdl(crossed, export=Export(seconds={"total-1": 60, "mix": 1, "total": 30}))
    second = to_fdl(crossed, export=Export(seconds={"total-2": 60, "mix": 1, "total": 30}))
    assert branches(first) == [["c0_mix_1", "c1_total_1", "c2_total_2"], ["c3_mix_2"]]
    assert branches(second) == [["c0_mix_1"], ["c1_total_1", "c2_total_2", "c3_mix_2"]]
    for export in (first, second, to_fdl(crossed, export=Export(seconds={"mix-1": 9}))):
        assert done(export)[0].result() == done(to_fdl(crossed))[0].result()
    with pytest.raises(DefinitionError, match=r"fetch.*no such call.*mix, total"):
        to_fdl(crossed, export=Export(seconds={"fetch": 1.0}))
    wrong: Any
    for wrong in (-1, float("nan"), float("inf"), "3"):
        with pytest.raises(ValueError, match="seconds of mix"):
            Export(seconds={"mix": wrong})


def test_what_is_exact_has_no_barrier():
    """A diamond and complete layers are written as they are; only an N needs a barrier."""
    assert ordered([[], [0], [0], [1, 2]]) == Series((0, Beside((1, 2)), 3))
    assert ordered([[], [], [0, 1], [0, 1]]) == Series((Beside((0, 1)), Beside((2, 3))))
    assert ordered([[], [0], [], [2]]) == Beside((Series((0, 1)), Series((2, 3))))
    assert isinstance(ordered([[], [], [0], [0, 1]]), Series)
    with pytest.raises(ValueError, match="no calls"):
        ordered([])


@nbflow.workflow
def wide(count: int):
    """Fan out and in."""
    return total([mix(n) for n in range(count)], plus={"one": mix(1)})


def test_many_branches_are_put_into_groups():
    """A Parallel has at most 50 branches; more stand in groups beside each other."""
    exported = to_fdl(wide, 120)
    outer = exported.definition.to_dict()["States"][0]["Branches"]
    assert len(outer) <= 50
    assert exported.flows == {}
    want = sum(mix.fn(n) for n in range(120)) + mix.fn(1)
    assert done(exported)[0].result() == {"result": want}


def test_many_calls_are_put_into_sub_flows():
    """An execution has at most so many calls, and its log stays within the limit of events."""
    exported = to_fdl(wide, 700)
    assert len(exported.flows) >= 2
    execution, flows = done(exported)
    want = sum(mix.fn(n) for n in range(700)) + mix.fn(1)
    assert execution.result() == {"result": want}
    assert max(len(e.events) for e in flows.executions.values()) <= 5000


@nbflow.workflow
def careful(number: int):
    """Retry, give up, and go on."""
    return [shaky(number), hopeless(number), "`" if number < 0 else "x", 3]


def test_retries_and_time_limits_are_in_the_flow():
    """Attempts, waits and time limits are those of the activity; None stands for what failed."""
    lost[:] = [1, 1]
    exported = to_fdl(careful, 5)
    execution, _ = done(exported)
    assert execution.result() == {"result": [5, None, "x", 3]}
    assert execution.events[-1].time == 2 + 6
    text = str(exported)
    assert "Timeout: 90" in text
    assert "MaxAttempts: 2" in text
    survives(execution, exported.definition)


@nbflow.workflow
def shapes(value: object):
    """Have a result stand in other values."""
    number = mix(1)
    return kind([{"a": (number, value)}, "$Input", {"b": None}])


def test_arguments_keep_their_shape():
    """Results may stand anywhere in arguments; text that looks like an expression is text."""
    value = ("x", [1, ("y",)])
    want = repr([{"a": (31, value)}, "$Input", {"b": None}])
    assert done(to_fdl(shapes, value))[0].result() == {"result": want}


def test_queues_get_calls_as_messages():
    """With a queue, calls are messages with a token, and go on with what is reported."""
    queue = "acs:mns:cn-hangzhou:1:/queues/work/messages"
    exported = to_fdl(wide, 3, export=Export(queue=queue, name="by-queue"))
    assert exported.definition.name == "by-queue"
    flows = LocalFlows({"by-queue": exported.definition})
    execution = flows.start("by-queue")
    while execution.status == "Running":
        message = flows.messages["work"].pop()
        flows.report(message["taskToken"], fc_handler.run(message))
    assert execution.result() == {"result": sum(mix.fn(n) for n in range(3)) + mix.fn(1)}


@nbflow.workflow
def looks(number: int):
    """Look at a result."""
    return mix(1) if mix(number).result() > 1 else 0


@nbflow.workflow
def sleeps():
    """Wait for a time."""
    nbflow.sleep(3)
    return mix(1)


@nbflow.workflow
def chained():
    """Hand a result on when it is there."""
    return nbflow.Chain((mix, 1), (mix, 2), send_result=True).submit()


@nbflow.workflow
def calls_workflow():
    """Call a workflow."""
    return wide(3)


@pytest.mark.parametrize(
    ("workflow", "args", "says"),
    [
        (looks, (1,), "needs the result of mix-1"),
        (sleeps, (), "it waits for a time"),
        (chained, (), "no fixed graph"),
        (calls_workflow, (), "workflow"),
        (shapes, ({1},), "what JSON has"),
        (shapes, ({"a.$": 1},), "cannot have"),
        (careful, (-1,), "backquote"),
    ],
)
def test_what_is_no_fixed_graph_is_refused(workflow, args, says):
    """What a flow cannot say is one clear error, and nothing is written."""
    with pytest.raises(DefinitionError, match=says):
        to_fdl(workflow, *args)


def test_activities_of_notebooks_are_refused():
    """A function in the cloud imports its activities, so they are in modules."""

    @nbflow.activity
    def here():
        return 1

    @nbflow.workflow
    def local():
        return here()

    with pytest.raises(DefinitionError, match="move it to a module"):
        to_fdl(local)


def test_no_calls_are_a_flow_too():
    """A workflow that calls nothing gives its value."""

    @nbflow.workflow
    def constant():
        return {"n": 3}

    assert done(to_fdl(constant))[0].result() == {"result": {"n": 3}}


def test_flows_are_saved(tmp_path):
    """Each flow is a file, the one to start last, and is read again as it was."""
    exported = to_fdl(wide, 9, export=Export(most_calls=4))
    files = exported.save(tmp_path / "new")
    assert [f.stem for f in files] == [*exported.flows, "wide"]
    assert nbflow.services.cloudflow.FlowDefinition.parse(files[-1].read_text()) == (
        exported.definition
    )


@pytest.mark.parametrize("name", ["tests.cloudflow.exported:plain", "os:system", "x.y:z", ":", ""])
def test_the_handler_runs_activities_only(name):
    """What is no activity is not called, whatever an event says."""
    with pytest.raises(DefinitionError, match="activity"):
        fc_handler.handler(json.dumps({"activity": name, "args": [{"value": "true"}]}))


def test_the_package_has_all_that_is_deployed(tmp_path, monkeypatch):
    """The archive has the handler and the modules, is the same each time, and can be imported."""
    module = tmp_path / "shop_activities.py"
    module.write_text("import nbflow\n\n@nbflow.activity\ndef two():\n    return 2\n")
    one = fc_handler.write_package(tmp_path / "a.zip", [module])
    two = fc_handler.write_package(tmp_path / "b.zip", [module])
    assert one.read_bytes() == two.read_bytes()
    with zipfile.ZipFile(one) as archive:
        assert archive.namelist() == ["index.py", "requirements.txt", "shop_activities.py"]
    monkeypatch.syspath_prepend(str(one))
    import index  # type: ignore[import-not-found]

    event = json.dumps({"activity": "shop_activities:two"}).encode()
    assert json.loads(index.handler(event, None)) == {"value": 2}
    for name in ("index", "shop_activities"):
        monkeypatch.delitem(sys.modules, name)


def test_a_module_that_is_missing_is_named(tmp_path):
    """Nothing is written if one of the files is not there."""
    with pytest.raises(FileNotFoundError, match=r"none\.py"):
        fc_handler.write_package(tmp_path / "a.zip", [tmp_path / "none.py"])
    assert list(tmp_path.iterdir()) == []


def test_exported_flows_run_on_the_emulator():
    """The definitions are taken by the service as it is emulated, sub-flows too."""
    exported = to_fdl(wide, 9, export=Export(most_calls=4))
    actions = {"nbflow": fc_handler.run}
    with emulator.running(functions=actions) as endpoint:
        client = endpoint.client()
        for name, definition in exported.flows.items():
            client.create_flow(name, definition.to_yaml())
        client.create_flow("wide", exported.definition.to_yaml())
        client.start_execution("wide", "w", {})
        found = client.wait("wide", "w", timeout=60)
        assert found.value == {"result": sum(mix.fn(n) for n in range(9)) + mix.fn(1)}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_hundred_graphs_give_on_the_emulator_what_runs_give():
    """Flows of 1 to 40 calls, some with sub-flows, go by the service as it is emulated."""
    rng = Random(200)
    with emulator.running(functions={"nbflow": fc_handler.run}) as endpoint:
        client = endpoint.client()
        started = []
        for number in range(200):
            count = rng.randint(1, 40)
            flow = workflow_of(random_graph(rng, count, rng.choice([0.05, 0.1, 0.3])))
            export = Export(name=f"graph{number}", most_calls=rng.choice([5, 600]))
            exported = to_fdl(flow, export=export)
            for name, definition in [*exported.flows.items(), (export.name, exported.definition)]:
                client.create_flow(name, definition.to_yaml())
            client.start_execution(export.name, "one", {})
            started.append((export.name, flow))
        for name, flow in started:
            found = client.wait(name, "one", timeout=300)
            assert found.status == "Succeeded"
            assert found.value == {"result": flow.on("inline").start().result()}
