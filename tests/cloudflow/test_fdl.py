"""Definitions of both languages are read, checked, drawn and written back."""

from __future__ import annotations

import pytest

from nbflow.services.cloudflow import FdlError, FlowDefinition
from nbflow.services.cloudflow.fdl import states, steps
from nbflow.viz.saved import load

NEW = """\
Type: StateMachine
Name: order
SpecVersion: v1
StartAt: load
States:
  - Type: Task
    Name: load
    Action: FC:InvokeFunction
    Timeout: "600"
    Parameters: {resourceArn: acs:fc:::functions/f/LATEST, body: {x.$: $Input.x}}
    Retry: [{Description: r, Errors: [FnF.ALL], MaxAttempts: 3, IntervalSeconds: 2}]
    Catch: [{Description: c, Errors: [FnF.ALL], Next: lost}]
    Next: both
  - Type: Parallel
    Name: both
    Branches:
      - StartAt: a
        States: [{Type: Pass, Name: a, End: true}]
      - StartAt: a
        States: [{Type: Wait, Name: a, Seconds: 5, End: true}]
    Next: each
  - Type: Map
    Name: each
    ItemsPath: $Input.items
    MaxConcuccency: 40
    Processor:
      StartAt: one
      States: [{Type: Succeed, Name: one}]
    Next: more
  - Type: Choice
    Name: more
    Branches: [{Condition: '$Input.n > 3', Next: load}]
    Default: done
  - {Type: Succeed, Name: done}
  - {Type: Fail, Name: lost, Code: Lost, Detail: gone}
"""

OLD = """\
version: v1beta1
type: flow
steps:
  - {type: pass, name: on, outputMappings: [{target: n, source: 1}]}
  - {type: task, name: call, action: fnf:StartExecution, catch: [{errors: [FnF.ALL], goto: lost}]}
  - type: choice
    name: more
    choices:
      - condition: $.n > 3 && $.flag
        steps: [{type: wait, name: rest, duration: 20}]
        goto: on
    default: {goto: both}
  - type: parallel
    name: both
    branches: [{steps: [{type: pass, name: a}]}, {steps: [{type: pass, name: a}]}]
    outputMappings: [{target: all, source: '$local[*].n'}]
  - type: foreach
    name: each
    iterationMapping: {collection: $.items, item: item}
    steps: [{type: succeed, name: one}]
  - {type: succeed, name: done}
  - {type: fail, name: lost, error: Lost, cause: gone}
"""


@pytest.mark.parametrize("text", [NEW, OLD], ids=["new", "old"])
def test_written_back_means_the_same(text):
    """A definition that is written and read again is equal, for every type of both languages."""
    definition = FlowDefinition.parse(text)
    again = FlowDefinition.parse(definition.to_yaml())
    assert again == definition
    assert again.to_dict() == FlowDefinition.of(definition.to_dict()).to_dict()
    assert definition.notes == ()


def test_parts_are_typed():
    """What is read are objects of the class of their type."""
    new, old = FlowDefinition.parse(NEW), FlowDefinition.parse(OLD)
    assert isinstance(new.flow, states.StateMachine)
    assert [type(s).__name__ for s in new.flow.states] == [
        *("Task", "Parallel", "Map", "Choice", "Succeed", "Fail")
    ]
    assert isinstance(old.flow, steps.OldFlow)
    assert old.flow.steps[0].name == "on"
    assert (new.name, new.old, old.name, old.old) == ("order", False, "", True)


def test_unknown_keys_are_kept_and_noted():
    """A key that is not known is written back as it was, and a note names it with its line."""
    definition = FlowDefinition.parse(NEW.replace("Code: Lost", "Code: Lost, Colour: [red]"))
    assert definition.to_dict()["States"][-1]["Colour"] == ["red"]
    assert definition.notes == ("line 35: Fail has Colour, which is not known here; it is kept",)


def test_the_graph_has_every_state_and_no_cycle():
    """Branches are nodes of their own, and a way back is one too."""
    for text, way in ((NEW, "back to load"), (OLD, "more/way0/back to on")):
        graph = FlowDefinition.parse(text).graph
        edges = {(edge.source, edge.target): edge.kind for edge in graph.edges}
        assert edges["both", "both/Branch1/a"] == "data"
        assert edges["both/Branch1/a", "each"] == "data"
        assert any(target == way for _, target in edges)
        assert "back to" in graph.text()
        assert graph.svg().startswith("<svg")
    assert edges["call", "lost"] == "control"


def test_a_definition_is_not_shown_as_a_run(tmp_path):
    """Nothing of it has run: the head of every picture says that, and counts nothing."""
    graph, old = FlowDefinition.parse(NEW).graph, FlowDefinition.parse(OLD).graph
    head = f"definition · {len(graph)} states"
    assert graph.text().splitlines()[0] == f"order  {head}"
    assert old.text().splitlines()[0].endswith(f"definition · {len(old)} steps")
    assert head in graph.svg()
    assert "running" not in graph.svg() + graph.text() + repr(graph)
    assert (graph.status, graph.to_dict()["status"]) == ("definition", "definition")
    assert graph.png()
    saved = load(graph.save(tmp_path / "order.json"))
    assert saved.text().splitlines()[0] == f"order  {head}"


@pytest.mark.parametrize(
    ("before", "after", "line", "said"),
    [
        ("Next: both", "Next: bth", 6, "no state 'bth'"),
        ("StartAt: load", "StartAt: lod", 1, "StartAt names 'lod'"),
        ("    Action: FC:InvokeFunction\n", "    Acton: X\n", 6, "needs Action, and has Acton"),
        ('Timeout: "600"', "Timeout: 604801", 9, "from 0 to 604800"),
        ("$Input.x}", "$Inptu.x}", 6, "no variable $Inptu"),
        ("$Input.n > 3", "$Input.n > ", 32, "a value is expected"),
        ("Seconds: 5", "Seconds: 301", 20, "from 1 to 300"),
        ("MaxConcuccency: 40", "MaxConcuccency: 41", 22, "at most 40"),
        ("    Next: each\n", "", 14, "either Next or End"),
        ("Name: done}", "Name: lost}", 35, "same name"),
        ("{Type: Succeed, Name: done}", "{Type: Succed, Name: done}", 34, "no state type"),
        ("Name: order", "Name: order\nName: order", 3, "stands twice"),
        ("Name: order", "Name: !!python/name:os.system x", 2, "not allowed"),
        ("Name: order", "Name: [", 4, "no YAML"),
    ],
)
def test_an_error_names_the_line(before, after, line, said):
    """What is wrong in a text is said with the line that it is on."""
    assert before in NEW
    with pytest.raises(FdlError) as caught:
        FlowDefinition.parse(NEW.replace(before, after, 1))
    assert said in str(caught.value)
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("goto: both", "goto: a", "no step 'a'"),
        ("duration: 20", "duration: 172801", "172800"),
        ("duration: 20", "duration: 2, timestamp: x", "either duration or timestamp"),
        ("action: fnf:StartExecution", "pattern: sync", "either resourceArn or action"),
        ("$.n > 3", "$other.n > 3", "no variable $other"),
        ("v1beta1", "v2", "one of v1, v1beta1"),
    ],
)
def test_the_old_language_is_checked_too(before, after, said):
    """Ways, expressions and limits of the old language are checked."""
    assert before in OLD
    with pytest.raises(FdlError, match="line") as caught:
        FlowDefinition.parse(OLD.replace(before, after, 1))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- 1",
        "a: 1",
        "[" * 5000,
        "a: &a [1]\nb: &b [*a,*a]\nc: *c",
        "x: &x [1,1,1,1,1,1,1,1,1,1]\n"
        + "".join(
            f"x{n}: &x{n} [{','.join([f'*x{n - 1}' if n else '*x'] * 10)}]\n" for n in range(9)
        ),
        "a: &a [*a]",
        "Name: " + "x" * 1_100_000,
    ],
    ids=["empty", "list", "other", "deep", "alias", "bomb", "cycle", "large"],
)
def test_hostile_texts_are_refused(text):
    """A text that is no flow, or would grow without end, is an `FdlError` and nothing worse."""
    with pytest.raises(FdlError):
        FlowDefinition.parse(text)
