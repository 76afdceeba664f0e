"""A definition as a graph, in the form of a log, so that whatever draws runs can draw it.

States are nodes that wait; what follows by itself is a firm edge, what a choice or a catch may lead
to a dashed one. A graph of a log has no cycles: a way back is drawn as a node of its own that is
called ``back to`` the state.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

from nbflow.core.events import CallScheduled, Event, RunStarted
from nbflow.core.graph import Edge
from nbflow.services.cloudflow.fdl import states, steps
from nbflow.services.cloudflow.fdl.check import gotos

Flow = states.StateMachine | steps.OldFlow
Exits = list[tuple[str, bool]]
"""Nodes after which a part is done, and whether the way on from there is a choice's."""


@dataclass
class Sketch:
    """Nodes and edges of a definition, before the ways back are found.

    Attributes:
        names: What each node is called, by its id.
        groups: The scope that each node stands in.
        edges: Which nodes follow which, and whether by themselves.
    """

    names: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    edges: dict[tuple[str, str], bool] = field(default_factory=dict)

    def node(self, group: str, name: str) -> str:
        """Add a node and give its id."""
        found = f"{group}/{name}" if group else name
        self.names[found], self.groups[found] = name, group
        return found

    def edge(self, source: str, target: str, *, firm: bool) -> None:
        """Add an edge; one that is firm stays so."""
        self.edges[source, target] = firm or self.edges.get((source, target), False)


def drawn(flow: Flow) -> tuple[list[Event], list[Edge]]:
    """Give a flow as the events of a run that has not begun, and its dashed edges."""
    sketch = Sketch()
    if isinstance(flow, states.StateMachine):
        _states(sketch, flow, "")
    else:
        _steps(sketch, flow.steps, "")
    _unroll(sketch)
    needed: dict[str, list[str]] = {node: [] for node in sketch.names}
    firm: dict[str, list[str]] = {node: [] for node in sketch.names}
    dashed = []
    for (source, target), sure in sketch.edges.items():
        needed[target].append(source)
        if sure:
            firm[target].append(source)
        else:
            dashed.append(Edge(source, target, "control"))
    events: list[Event] = [RunStarted(1, 0.0, flow.name or "flow", (), {}, on="cloudflow")]
    for number, node in enumerate(TopologicalSorter(needed).static_order(), 2):
        name, group = sketch.names[node], sketch.groups[node]
        events.append(CallScheduled(number, 0.0, node, name, deps=tuple(firm[node]), group=group))
    return events, dashed


def _states(sketch: Sketch, scope: states.Scope, group: str) -> Exits:
    """Add a scope's states and give where it ends."""
    ids = {state.name: sketch.node(group, state.name) for state in scope.states}
    ends: Exits = []
    for state in scope.states:
        exits = _inside(sketch, state, ids[state.name])
        if state.next is not None:
            _join(sketch, exits, ids[state.next])
        elif not isinstance(state, states.Choice | states.Fail):
            ends += exits
        if isinstance(state, states.Choice):
            for target in (*(way.next for way in state.branches), state.default):
                sketch.edge(ids[state.name], ids[target], firm=False)
        if isinstance(state, states.Handled):
            for rule in state.catch or ():
                sketch.edge(ids[state.name], ids[rule.next], firm=False)
    return ends


def _inside(sketch: Sketch, state: states.State, node: str) -> Exits:
    """Add what a state holds and give where the state ends."""
    match state:
        case states.Parallel():
            inner = [(f"{node}/Branch{n}", scope) for n, scope in enumerate(state.branches)]
        case states.Map():
            inner = [(f"{node}/each", state.processor)]
        case _:
            inner = []
    exits: Exits = []
    for group, scope in inner:
        exits += _states(sketch, scope, group)
        sketch.edge(node, f"{group}/{scope.start}", firm=True)
    return exits or [(node, True)]


def _join(sketch: Sketch, exits: Iterable[tuple[str, bool]], target: str) -> None:
    for source, firm in exits:
        sketch.edge(source, target, firm=firm)


def _steps(sketch: Sketch, beside: Iterable[steps.Step], group: str) -> Exits:
    """Add steps that follow each other and give where the last of them end."""
    beside = tuple(beside)
    ids = {step.name: sketch.node(group, step.name) for step in beside}
    ends: Exits = []
    before: Exits = []
    for step in beside:
        node = ids[step.name]
        _join(sketch, before, node)
        before = _held(sketch, step, node, ids)
        if not isinstance(step, steps.ChoiceStep):
            for target in gotos(step):
                sketch.edge(node, ids[target], firm=False)
        if step.end or isinstance(step, steps.SucceedStep):
            ends, before = ends + before, []
        elif isinstance(step, steps.FailStep):
            before = []
    return ends + before


def _held(sketch: Sketch, step: steps.Step, node: str, ids: dict[str, str]) -> Exits:
    """Add the steps in a step and give where the step ends."""
    exits: Exits = []
    match step:
        case steps.ChoiceStep():
            return _ways(sketch, step, node, ids)
        case steps.ParallelStep():
            for n, branch in enumerate(step.branches):
                group = f"{node}/Branch{n}"
                exits += _steps(sketch, branch.steps, group)
                sketch.edge(node, f"{group}/{branch.steps[0].name}", firm=True)
        case steps.ForeachStep():
            exits += _steps(sketch, step.steps, f"{node}/each")
            sketch.edge(node, f"{node}/each/{step.steps[0].name}", firm=True)
    return exits or [(node, True)]


def _ways(sketch: Sketch, step: steps.ChoiceStep, node: str, ids: dict[str, str]) -> Exits:
    exits: Exits = [] if step.default else [(node, False)]
    ways: list[steps.OldWay | steps.OldDefault] = [*step.choices]
    if step.default:
        ways.append(step.default)
    for n, way in enumerate(ways):
        last: Exits = [(node, False)]
        if way.steps:
            group = f"{node}/way{n}"
            last = _steps(sketch, way.steps, group)
            sketch.edge(node, f"{group}/{way.steps[0].name}", firm=False)
        if way.goto is None:
            exits += last
        else:
            _join(sketch, last, ids[way.goto])
    return exits


def _unroll(sketch: Sketch) -> None:
    """Lead each edge that closes a cycle to a node of its own."""
    for source, target in _backward(sketch):
        firm = sketch.edges.pop((source, target))
        group = sketch.groups[source]
        sketch.edge(source, sketch.node(group, f"back to {sketch.names[target]}"), firm=firm)


def _backward(sketch: Sketch) -> list[tuple[str, str]]:
    """Find the edges that lead to a node on the way to them, without recursion."""
    after: dict[str, list[str]] = {node: [] for node in sketch.names}
    for source, target in sketch.edges:
        after[source].append(target)
    found: list[tuple[str, str]] = []
    done: set[str] = set()
    for first in sketch.names:
        way = {first}
        rest = [(first, iter(after[first]))]
        while rest and first not in done:
            node, following = rest[-1]
            target = next(following, "")  # no node has an empty id
            if not target:
                done.add(node)
                way.remove(node)
                rest.pop()
            elif target in way:
                found.append((node, target))
            elif target not in done:
                way.add(target)
                rest.append((target, iter(after[target])))
    return found
