"""Flows of the old language do what their texts say, and go on after a crash at any event."""

from __future__ import annotations

import pytest

from nbflow.services.cloudflow.errors import ActionError
from tests.cloudflow.flows import SERVICE, Fails, local, ran, steps

ARN = "acs:fc:::services/s/functions"


def call(name: str, more: str = "", function: str = "") -> str:
    """Write a step that calls a function with its whole input."""
    return f"  - {{type: task, name: {name}, resourceArn: {ARN}/{function or name}{more}}}\n"


def test_a_child_sees_what_its_siblings_gave():
    """Without mappings the input of a step is that of its parent with what steps gave before."""
    text = steps(call("a") + call("b"))
    seen: list[object] = []

    def b(body):
        seen.append(body)
        return {"b": body["a"] + body["n"]}

    found = ran(text, {"n": 1}, a=lambda body: {"a": body["n"] + 1, "n": 5}, b=b)
    assert seen == [{"a": 2, "n": 5}]
    assert found.result() == {"a": 2, "n": 5, "b": 7}


def test_mappings_pick_and_rename():
    """Input mappings read what is around the step, output mappings its own local data."""
    text = steps(
        f"""\
  - type: task
    name: price
    resourceArn: {ARN}/price
    inputMappings: [{{target: each, source: '$input.order.price'}}, {{target: by, source: 3}}]
    outputMappings: [{{target: total, source: '$local.t'}}, {{target: was, source: '$input.each'}}]
""",
        "outputMappings:\n  - {target: all, source: '$local.total'}\n"
        "  - {target: in, source: '$input.x'}\n",
    )
    given = {"order": {"price": 7}, "x": "y"}
    found = ran(text, given, price=lambda body: {"t": body["each"] * body["by"]})
    assert found.result() == {"all": 21, "in": "y"}


def test_the_input_of_a_flow_is_mapped():
    """Input mappings of the flow make what its steps see."""
    text = steps(call("a"), "inputMappings: [{target: k, source: '$input.deep.k'}]\n")
    assert ran(text, {"deep": {"k": 4}}, a=lambda body: {"got": body}).result() == {"got": {"k": 4}}


@pytest.mark.parametrize(("n", "result"), [(1, {"x": 0}), (5, {"x": 1}), (9, {"x": 2})])
def test_a_choice_has_steps_of_its_own(n: int, result: object):
    """The steps of the way taken run, and what they give is the choice's."""
    text = steps(
        """\
  - {type: pass, name: zero, outputMappings: [{target: x, source: 0}]}
  - type: choice
    name: size
    choices:
      - condition: $.n > 7
        steps: [{type: pass, name: p, outputMappings: [{target: x, source: 2}]}]
      - condition: $.n > 3
        steps: [{type: pass, name: p, outputMappings: [{target: x, source: 1}]}]
"""
    )
    assert ran(text, {"n": n}).result() == result


def test_a_loop_by_goto():
    """A goto leads back to a sibling of the choice, which runs again."""
    text = steps(
        call("poll")
        + """\
  - type: choice
    name: over
    choices: [{condition: $.n >= 3, goto: done}]
    default: {goto: rest}
  - {type: wait, name: rest, duration: 20}
  - {type: choice, name: back, choices: [{condition: 'true', goto: poll}]}
  - {type: succeed, name: done}
"""
    )
    found = ran(text, {"n": 0}, poll=lambda body: {"n": body["n"] + 1})
    assert (found.result(), found.events[-1].time) == ({"n": 3}, 40.0)


def test_branches_have_data_of_their_own():
    """A parallel step gives nothing by itself; mappings read an array of its branches."""
    branches = """\
  - type: parallel
    name: both
    branches:
      - steps: [{type: pass, name: a, outputMappings: [{target: n, source: 1}]}]
      - steps: [{type: wait, name: w, duration: 5},
                {type: pass, name: a, outputMappings: [{target: n, source: 2}]}]
"""
    assert ran(steps(branches)).result() == {}
    found = ran(
        steps(
            branches
            + "    outputMappings: [{target: all, source: '$local[*].n'}]\n"
            + "  - {type: pass, name: z,\n"
            + "     outputMappings: [{target: one, source: '$input.all[1]'}]}\n"
        )
    )
    assert found.result() == {"all": [1, 2], "one": 2}
    assert found.events[-1].time == 5.0


def test_nested_foreach():
    """Steps of a foreach find the item and its index; foreach steps stand in each other."""
    text = steps(
        f"""\
  - type: foreach
    name: rows
    iterationMapping: {{collection: $.rows, item: row, index: r}}
    outputMappings: [{{target: sums, source: '$local[*].cells'}}]
    steps:
      - type: foreach
        name: cells
        iterationMapping: {{collection: $.row, item: cell, index: c}}
        outputMappings: [{{target: cells, source: '$local[*].v'}}]
        steps:
          - type: task
            name: act
            resourceArn: {ARN}/act
            inputMappings: [{{target: v, source: $input.cell}}, {{target: r, source: $input.r}},
                            {{target: c, source: $input.c}}]
"""
    )

    def act(body):
        return {"v": [body["r"], body["c"], body["v"]]}

    found = ran(text, {"rows": [["a", "b"], ["c"]]}, act=act)
    assert found.result() == {"sums": [[[0, 0, "a"], [0, 1, "b"]], [[1, 0, "c"]]]}


def test_a_saga_with_catch_and_goto():
    """A caught error leads to the steps that undo; its mappings tell them what happened."""
    text = steps(
        call("flight")
        + f"""\
  - type: task
    name: hotel
    resourceArn: {ARN}/hotel
    errorMappings: [{{target: why, source: $local.error}}, {{target: how, source: $local.cause}}]
    catch: [{{errors: [NoRoom], goto: undo}}]
  - {{type: succeed, name: booked}}
"""
        + call("undo", function="cancel")
        + "  - {type: fail, name: failed, error: NotBooked, cause: $.why}\n"
    )
    undone: list[object] = []

    def cancel(body):
        undone.append(body)
        return {}

    hotel = Fails(ActionError("NoRoom", "full"), then={})
    found = ran(text, {}, flight=lambda _: {"seat": 3}, hotel=hotel, cancel=cancel)
    assert undone == [{"seat": 3, "why": "NoRoom", "how": "full"}]
    assert (found.status, found.error, found.cause) == ("Failed", "NotBooked", "NoRoom")
    again = ran(text, {}, flight=lambda _: {"seat": 3}, hotel=lambda _: {"room": 1}, cancel=cancel)
    assert again.result() == {"seat": 3, "room": 1}


RETRY = (
    ", retry: [{errors: [Busy], intervalSeconds: 10, maxAttempts: 3, multiplier: 2,"
    " maxIntervalSeconds: 25}]"
)


@pytest.mark.parametrize(("failures", "seconds"), [(0, 0), (1, 10), (2, 30), (3, 55)])
def test_delays_grow_by_the_multiplier(failures: int, seconds: float):
    """Delays are interval times multiplier to the power of the retries, up to their most."""
    act = Fails(*[ActionError("Busy")] * failures, then={"ok": True})
    found = ran(steps(call("act", RETRY)), {}, act=act)
    assert (found.result(), found.events[-1].time, act.calls) == (
        *({"ok": True}, seconds),
        failures + 1,
    )


@pytest.mark.parametrize("name", SERVICE)
def test_errors_of_services_are_retried_and_caught_by_their_names(name: str):
    """One retry of that very error, then the step that it leads to; `FnF.ALL` is any error."""
    rules = ", retry: [{errors: [NAME], maxAttempts: 1}], catch: [{errors: [CAUGHT], goto: told}]"
    told = "{type: pass, name: told, outputMappings: [{target: told, source: 1}]}"
    end = f"  - {{type: succeed, name: booked}}\n  - {told}\n"
    for caught in (name, "FnF.ALL"):
        more = rules.replace("NAME", name).replace("CAUGHT", caught)
        text = steps(call("act", more) + end)
        act = Fails(ActionError(name), then={"ok": True})
        assert ran(text, {}, act=act).result() == {"ok": True}
        act = Fails(*[ActionError(name)] * 2, then={"ok": True})
        assert ran(text, {}, act=act).result() == {"told": 1}
    act = Fails(ActionError(f"{name}2"))
    other = ran(text.replace("FnF.ALL", name), {}, act=act)
    assert (other.status, other.error) == ("Failed", f"{name}2")


def test_retries_have_defaults():
    """Without numbers: three further attempts, after 1, 2 and 4 seconds."""
    act = Fails(*[ActionError("Busy")] * 9)
    found = ran(steps(call("act", ", retry: [{errors: [FnF.ALL]}]")), {}, act=act)
    assert (found.error, act.calls, found.events[-1].time) == ("Busy", 4, 7.0)


def test_a_wait_until_a_time():
    """A wait ends at its time; one that is past ends at once; a wrong one is an error."""
    text = steps("  - {type: wait, name: w, timestamp: $.until}\n")
    assert ran(text, {"until": "1970-01-01T00:01:30Z"}).events[-1].time == 90.0
    assert ran(text, {"until": "1960-01-01T00:00:00+08:00"}).events[-1].time == 0.0
    assert ran(text, {"until": "soon"}).error == "FnF.RuntimeError"
    assert ran(text, {"until": "1970-01-09T00:00:00Z"}).error == "FnF.RuntimeError"


def test_end_and_succeed_end_their_scope():
    """`end: true` in a branch ends the branch; steps beside the parallel step run."""
    text = steps(
        """\
  - type: parallel
    name: p
    branches:
      - steps:
          - {type: pass, name: a, end: true, outputMappings: [{target: n, source: 1}]}
          - {type: fail, name: never}
      - steps: [{type: succeed, name: s}, {type: fail, name: never}]
    outputMappings: [{target: n, source: '$local[0].n'}]
  - {type: succeed, name: out}
  - {type: fail, name: never}
"""
    )
    assert ran(text).result() == {"n": 1}


def test_a_result_that_is_no_object_is_invalid():
    """Local data are an object; anything else is FnF.InvalidLocal."""
    assert ran(steps(call("a")), {}, a=lambda _: [1]).error == "FnF.InvalidLocal"


def test_callbacks_have_the_token_of_the_context():
    """A step that waits for its callback goes on with what its token is reported with."""
    text = steps(
        """\
  - type: task
    name: ask
    resourceArn: acs:mns:::/queues/work/messages
    pattern: waitForCallback
    timeoutSeconds: 50
    serviceParams: {MessageBody: $, Priority: 1}
    inputMappings: [{target: token, source: $context.task.token}, {target: n, source: $input.n}]
    catch: [{errors: [FnF.TaskTimeout], goto: late}]
  - {type: succeed, name: done}
  - {type: pass, name: late, outputMappings: [{target: late, source: true}]}
"""
    )
    flows = local({"flow": text})
    first, second = flows.start("flow", {"n": 1}), flows.start("flow", {"n": 2})
    one, two = flows.messages["work"]
    assert (one["n"], two["n"]) == (1, 2)
    flows.report(one["token"], {"answer": 42})
    assert first.result() == {"answer": 42}
    flows.advance(50)
    assert second.result() == {"late": True}


@pytest.mark.parametrize(("pattern", "error"), [("requestResponse", ""), ("sync", "Sour")])
def test_a_flow_of_the_old_language_starts_others(pattern: str, error: str):
    """Only a `sync` step fails with the error of the flow that it started."""
    child = steps("  - {type: fail, name: f, error: Sour, cause: milk}\n")
    text = steps(
        f"  - {{type: task, name: sub, resourceArn: 'acs:fnf:::flow/child', pattern: {pattern}}}\n"
    )
    assert ran(text, {}, {"child": child}).error == error


def test_a_flow_goes_on_as_a_new_one_by_its_event_number():
    """`$context.step.eventId` tells a flow how full its log is, and it starts itself anew."""
    text = steps(
        """\
  - {type: task, name: on, resourceArn: 'acs:fc:::services/s/functions/count'}
  - type: choice
    name: more
    choices:
      - condition: $.n >= 60
        goto: done
      - condition: $context.step.eventId > 150
        goto: anew
    default: {goto: on}
  - {type: task, name: anew, resourceArn: 'acs:fnf:::flow/flow', end: true}
  - {type: succeed, name: done}
"""
    )
    count = {"count": lambda body: {"n": body["n"] + 1}}
    flows = local({"flow": text}, actions=count, max_events=200)
    flows.start("flow", {"n": 0})
    found = list(flows.executions.values())
    assert len(found) > 1
    assert [e.status for e in found] == ["Succeeded"] * len(found)
    assert found[-1].output["n"] == 60
