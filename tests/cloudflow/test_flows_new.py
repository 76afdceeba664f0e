"""Flows of the new language do what their texts say, and go on after a crash at any event."""

from __future__ import annotations

import pytest

from nbflow.services.cloudflow import CloudFlowError
from nbflow.services.cloudflow.errors import ActionError
from tests.cloudflow.flows import SERVICE, Fails, fc, local, machine, ran


def call(name: str, more: str, function: str = "") -> str:
    """Write a state that calls a function with its whole input."""
    where = fc(function or name)
    return f"""\
  - Type: Task
    Name: {name}
    Action: FC:InvokeFunction
    Parameters: {{resourceArn: {where}, body.$: $Input}}
    {more}
"""


def test_a_task_gives_what_its_function_gives():
    """Without a constructor the raw output of a call is the output of its state."""
    found = ran(machine(call("double", "End: true"), "double"), {"n": 2}, double=lambda b: b["n"])
    assert found.result() == {"Body": 2, "StatusCode": 200}


def test_data_go_through_constructors():
    """InputConstructor, Parameters, OutputConstructor and GlobalConstructor are in that order."""
    text = machine(
        f"""\
  - Type: Task
    Name: price
    Action: FC:InvokeFunction
    InputConstructor: {{each.$: $Input.order.price, fixed: $Input}}
    Parameters: {{resourceArn: {fc("price")}, body: {{n.$: $Input.each}}}}
    OutputConstructor: {{total.$: $Output.Body.total, was.$: $Input.each, word.$: $Input.fixed}}
    GlobalConstructor: {{total.$: $Output.Body.total}}
    Next: last
  - Type: Pass
    Name: last
    InputConstructor:
      total.$: $Global.total
      was.$: $Input.was
      word.$: $Input.word
      first.$: $Context.Execution.Input.order.price
      name.$: $Context.Current.Name
    End: true
""",
        "price",
    )
    found = ran(text, {"order": {"price": 7}}, price=lambda body: {"total": body["n"] * 3})
    want = {"total": 21, "was": 7, "word": "$Input", "first": 7, "name": "last"}
    assert found.result() == want


def test_globals_are_written_after_the_output_is_built():
    """An OutputConstructor sees $Global before its own state's write."""
    text = machine(
        """\
  - {Type: Pass, Name: a, GlobalConstructor: {n: 1}, Next: b}
  - Type: Pass
    Name: b
    OutputConstructor: {seen.$: $Global.n}
    GlobalConstructor: {n: 2}
    Next: c
  - {Type: Pass, Name: c, OutputConstructor: {seen.$: $Input.seen, now.$: $Global.n}, End: true}
""",
        "a",
    )
    assert ran(text).result() == {"seen": 1, "now": 2}


def test_a_wait_takes_its_seconds():
    """The time between two states is that of the wait, computed or written."""
    text = machine(
        """\
  - {Type: Wait, Name: a, Seconds: 30, Next: b}
  - {Type: Wait, Name: b, Seconds.$: $Input.n, End: true}
""",
        "a",
    )
    found = ran(text, {"n": 12})
    assert (found.result(), found.events[-1].time) == ({"n": 12}, 42.0)


def test_a_wait_that_is_too_long_fails():
    """Seconds that are computed have the same limits as those that are written."""
    found = ran(
        machine("  - {Type: Wait, Name: a, Seconds.$: $Input.n, End: true}", "a"), {"n": 1e9}
    )
    assert (found.status, found.error) == ("Failed", "FnF.RuntimeError")


@pytest.mark.parametrize(("n", "way"), [(9, "large"), (5, "middle"), (1, "small")])
def test_a_choice_takes_the_first_way_that_holds(n: int, way: str):
    """The first true condition wins, else the default."""
    text = machine(
        """\
  - Type: Choice
    Name: size
    Branches:
      - {Condition: '$Input.n > 7', Next: large}
      - {Condition: '$Input.n > 3', Next: middle}
    Default: small
  - {Type: Pass, Name: large, OutputConstructor: {way: large}, End: true}
  - {Type: Pass, Name: middle, OutputConstructor: {way: middle}, End: true}
  - {Type: Pass, Name: small, OutputConstructor: {way: small}, End: true}
""",
        "size",
    )
    assert ran(text, {"n": n}).result() == {"way": way}


def test_a_condition_that_has_no_value_fails_the_flow():
    """A path that leads nowhere is FnF.RuntimeError, not false."""
    text = machine(
        """\
  - {Type: Choice, Name: a, Branches: [{Condition: '$Input.n > 7', Next: b}], Default: b}
  - {Type: Succeed, Name: b}
""",
        "a",
    )
    found = ran(text, {})
    assert (found.status, found.error) == ("Failed", "FnF.RuntimeError")
    assert "$Input.n" in found.cause


def test_a_loop_polls_until_it_is_done():
    """A way back runs states again, with what they gave."""
    text = machine(
        call("poll", "OutputConstructor: {n.$: $Output.Body.n}\n    Next: over")
        + """\
  - {Type: Choice, Name: over, Branches: [{Condition: '$Input.n >= 4', Next: done}], Default: rest}
  - {Type: Wait, Name: rest, Seconds: 10, Next: poll}
  - {Type: Succeed, Name: done}
""",
        "poll",
    )
    found = ran(text, {"n": 0}, poll=lambda body: {"n": body["n"] + 1})
    assert (found.result(), found.events[-1].time) == ({"n": 4}, 30.0)


def test_fan_out_and_fan_in():
    """Branches all get the input; the next state finds what they gave as Branch0, Branch1."""
    text = machine(
        """\
  - Type: Parallel
    Name: both
    Branches:
      - StartAt: a
        States:
          - {Type: Wait, Name: a, Seconds: 9, Next: b}
          - {Type: Pass, Name: b, OutputConstructor: {n.$: 'intAdd($Input.n, 1)'}, End: true}
      - StartAt: a
        States: [{Type: Wait, Name: a, Seconds: 5, End: true}]
    Next: sum
  - Type: Pass
    Name: sum
    OutputConstructor: {sum.$: 'intAdd($Input.Branch0.n, $Input.Branch1.n)'}
    End: true
""",
        "both",
    )
    found = ran(text, {"n": 4})
    assert (found.result(), found.events[-1].time) == ({"sum": 9}, 9.0)


def test_a_branch_that_fails_ends_the_others():
    """The error of a branch is that of the Parallel, at once; the others are given up."""
    text = machine(
        f"""\
  - Type: Parallel
    Name: both
    Branches:
      - StartAt: a
        States: [{{Type: Wait, Name: a, Seconds: 300, End: true}}]
      - StartAt: b
        States:
          - Type: Task
            Name: b
            Action: FC:InvokeFunction
            Parameters: {{resourceArn: {fc("bad")}}}
            End: true
    Catch: [{{Description: c, Errors: [ValueError], Next: saved}}]
    End: true
  - {{Type: Pass, Name: saved, OutputConstructor: {{saved: true}}, End: true}}
""",
        "both",
    )
    found = ran(text, {"n": 1}, bad=Fails(ValueError("no"), ValueError("no")))
    assert (found.result(), found.events[-1].time) == ({"saved": True}, 0.0)


def test_a_map_runs_its_states_for_each_item():
    """The output is in the order of the items, whatever took longer."""
    text = machine(
        """\
  - Type: Map
    Name: each
    ItemsPath: $Input.items
    Processor:
      StartAt: rest
      States:
        - {Type: Wait, Name: rest, Seconds.$: $Input.n, Next: out}
        - {Type: Pass, Name: out, OutputConstructor: {m.$: 'intAdd($Input.n, 10)'}, End: true}
    End: true
""",
        "each",
    )
    found = ran(text, {"items": [{"n": 9}, {"n": 1}, {"n": 4}]})
    assert found.result() == {"Items": [{"m": 19}, {"m": 11}, {"m": 14}]}
    assert found.events[-1].time == 9.0


@pytest.mark.parametrize(("most", "seconds"), [(1, 50.0), (2, 30.0), (5, 10.0)])
@pytest.mark.parametrize("key", ["MaxConcurrency", "MaxConcuccency"])
def test_a_map_runs_so_many_at_a_time(key: str, most: int, seconds: float):
    """MaxConcurrency, in either spelling, is how many items are under way at once."""
    text = machine(
        f"""\
  - Type: Map
    Name: each
    ItemsPath: $Input.items
    {key}: {most}
    Processor: {{StartAt: r, States: [{{Type: Wait, Name: r, Seconds: 10, End: true}}]}}
    End: true
""",
        "each",
    )
    assert ran(text, {"items": [{}] * 5}).events[-1].time == seconds


def test_maps_in_maps():
    """A Map's item may be run through a Map; an empty one gives an empty list."""
    text = machine(
        """\
  - Type: Map
    Name: rows
    ItemsPath: $Input.rows
    Processor:
      StartAt: cells
      States:
        - Type: Map
          Name: cells
          ItemsPath: $Input.cells
          Processor: {StartAt: p, States: [{Type: Pass, Name: p, End: true}]}
          OutputConstructor: {row.$: $Output.Items}
          End: true
    End: true
""",
        "rows",
    )
    rows = [{"cells": [{"a": 1}, {"a": 2}]}, {"cells": []}]
    want = {"Items": [{"row": [{"a": 1}, {"a": 2}]}, {"row": []}]}
    assert ran(text, {"rows": rows}).result() == want


def test_succeed_ends_its_scope_only():
    """A Succeed in a branch ends the branch; the flow goes on."""
    text = machine(
        """\
  - Type: Parallel
    Name: p
    Branches:
      - StartAt: s
        States: [{Type: Succeed, Name: s, OutputConstructor: {a: 1}}]
    Next: last
  - {Type: Succeed, Name: last, OutputConstructor: {out.$: $Input.Branch0.a}}
""",
        "p",
    )
    assert ran(text).result() == {"out": 1}


def test_fail_ends_the_whole_flow():
    """A Fail in a branch ends the flow with its code; no rule catches it."""
    text = machine(
        """\
  - Type: Parallel
    Name: p
    Branches:
      - StartAt: f
        States: [{Type: Fail, Name: f, Code: Lost, Detail: gone}]
    Catch: [{Description: c, Errors: [FnF.ALL], Next: last}]
    Next: last
  - {Type: Succeed, Name: last}
""",
        "p",
    )
    found = ran(text)
    assert (found.status, found.error, found.cause) == ("Failed", "Lost", "gone")
    with pytest.raises(CloudFlowError, match="Lost: gone"):
        found.result()


RETRY = """\
Retry:
      - {Description: r, Errors: [Busy], MaxAttempts: 3, IntervalSeconds: 2, BackoffRate: 3,
         MaxBackoffSeconds: 10}
    End: true"""


@pytest.mark.parametrize(("failures", "seconds"), [(0, 0), (1, 2), (2, 8), (3, 18)])
def test_a_retry_waits_longer_each_time_up_to_its_most(failures: int, seconds: float):
    """Delays are interval times rate to the power of the retries, at most MaxBackoffSeconds."""
    act = Fails(*[ActionError("Busy", "later")] * failures)
    found = ran(machine(call("act", RETRY), "act"), {"n": 1}, act=act)
    assert found.result()["Body"] == {"n": 1}
    assert (act.calls, found.events[-1].time) == (failures + 1, seconds)


def test_retries_come_to_an_end():
    """MaxAttempts is how often a state is run again; then its error is the flow's."""
    act = Fails(*[ActionError("Busy", "later")] * 9)
    found = ran(machine(call("act", RETRY), "act"), {}, act=act)
    assert (found.status, found.error, act.calls) == ("Failed", "Busy", 4)


@pytest.mark.parametrize("name", SERVICE)
def test_errors_of_services_are_retried_and_caught_by_their_names(name: str):
    """One retry of that very error, then its state; another error is for neither rule."""
    more = f"""\
Retry: [{{Description: r, Errors: [{name}], MaxAttempts: 1, IntervalSeconds: 5}}]
    Catch:
      - {{Description: c, Errors: [{name}], Next: told,
         OutputConstructor: {{code.$: $Context.Current.Error.Code,
                             detail.$: $Context.Current.Error.Detail}}}}
    End: true
  - {{Type: Succeed, Name: told}}"""
    text = machine(call("act", more), "act")
    again = ran(text, {"n": 1}, act=Fails(ActionError(name, "later")))
    assert (again.result()["Body"], again.events[-1].time) == ({"n": 1}, 5)
    act = Fails(*[ActionError(name, "later")] * 2)
    assert ran(text, {}, act=act).result() == {"code": name, "detail": "later"}
    found = ran(text, {}, act=Fails(ActionError(f"{name}2", "no rule")))
    assert (found.status, found.error, found.cause) == ("Failed", f"{name}2", "no rule")


def test_an_error_without_a_rule_is_not_retried():
    """A rule is for the errors it names."""
    act = Fails(ActionError("FC.Unknown", "other"))
    found = ran(machine(call("act", RETRY), "act"), {}, act=act)
    assert (found.status, found.error, act.calls) == ("Failed", "FC.Unknown", 1)


def test_the_first_rule_that_fits_is_the_one():
    """Of several rules for an error only the first is used, also when it is used up."""
    more = """\
Retry:
      - {Description: a, Errors: [Busy], MaxAttempts: 1, IntervalSeconds: 1}
      - {Description: b, Errors: [FnF.ALL], MaxAttempts: 9, IntervalSeconds: 1}
    End: true"""
    act = Fails(*[ActionError("Busy")] * 5)
    assert ran(machine(call("act", more), "act"), {}, act=act).error == "Busy"
    assert act.calls == 2


def test_retries_come_before_catches():
    """A Catch is used when the retries are used up; it knows the error and the retries."""
    more = """\
Retry: [{Description: r, Errors: [Busy], MaxAttempts: 2, IntervalSeconds: 1}]
    Catch:
      - Description: c
        Errors: [Busy, Other]
        Next: told
        OutputConstructor:
          code.$: $Context.Current.Error.Code
          detail.$: $Context.Current.Error.Detail
          retries.$: $Context.Current.RetryCount
    End: true"""
    text = machine(call("act", more) + "  - {Type: Pass, Name: told, End: true}\n", "act")
    act = Fails(*[ActionError("Busy", "later")] * 5)
    found = ran(text, {}, act=act)
    assert found.result() == {"code": "Busy", "detail": "later", "retries": 2}


def test_a_saga_undoes_what_was_done():
    """A caught error leads to the states that undo, in their order, then to the failure."""
    text = machine(
        call("flight", "OutputConstructor: {done.$: 'toArray(\"flight\")'}\n    Next: hotel")
        + call(
            "hotel",
            "Catch: [{Description: c, Errors: [NoRoom], Next: undo}]\n    Next: booked",
        )
        + call("undo", "Next: failed", "cancel")
        + """\
  - {Type: Succeed, Name: booked}
  - {Type: Fail, Name: failed, Code: NotBooked, Detail: no hotel}
""",
        "flight",
    )
    undone: list[object] = []
    hotel = Fails(ActionError("NoRoom", "full"))
    found = ran(text, {}, flight=lambda body: body, hotel=hotel, cancel=undone.append)
    assert (found.error, undone) == ("NotBooked", [{"done": ["flight"]}])


WAITS = """\
  - Type: Task
    Name: ask
    Action: MNS:SendMessage
    TaskMode: WaitForCustomCallback
    Timeout: 100
    Parameters:
      resourceArn: acs:mns:cn-hangzhou:1:/queues/work/messages
      message: {token.$: $Context.Current.TaskToken, n.$: $Input.n}
    Catch:
      - {Description: c, Errors: [FnF.TaskTimeout, Refused], Next: lost,
         OutputConstructor: {code.$: $Context.Current.Error.Code}}
    End: true
  - {Type: Pass, Name: lost, End: true}
"""


def test_a_callback_is_waited_for():
    """A call that waits for a report goes on with what is reported, once."""
    flows = local({"flow": machine(WAITS, "ask")})
    execution = flows.start("flow", {"n": 3})
    (message,) = flows.messages["work"]
    assert (message["n"], execution.status) == (3, "Running")
    with pytest.raises(CloudFlowError, match="waits at: ask"):
        execution.result()
    flows.advance(60)
    flows.report(message["token"], {"answer": 6})
    assert execution.result() == {"answer": 6}
    with pytest.raises(CloudFlowError, match="TaskAlreadyCompleted"):
        flows.report(message["token"], {})


def test_a_reported_failure_can_be_caught():
    """What a report fails with is the state's error."""
    flows = local({"flow": machine(WAITS, "ask")})
    execution = flows.start("flow", {"n": 3})
    flows.report_failed(flows.messages["work"][0]["token"], "Refused", "no")
    assert execution.result() == {"code": "Refused"}


def test_a_callback_that_does_not_come_is_timed_out():
    """A time limit is FnF.TaskTimeout, at its very time; a later report is refused."""
    flows = local({"flow": machine(WAITS, "ask")})
    execution = flows.start("flow", {"n": 3})
    flows.advance(99)
    assert execution.status == "Running"
    flows.advance(1)
    assert execution.result() == {"code": "FnF.TaskTimeout"}
    with pytest.raises(CloudFlowError, match="given up"):
        flows.report(flows.messages["work"][0]["token"], {})


def test_of_several_the_first_is_enough():
    """Flows that all report the same token: the first wins, the others are told off."""
    racer = machine(
        """\
  - {Type: Wait, Name: w, Seconds.$: $Input.seconds, Next: tell}
  - Type: Task
    Name: tell
    Action: FNF:ReportTaskSucceeded
    Parameters: {token.$: $Input.token, n.$: $Input.seconds}
    Catch: [{Description: late, Errors: [TaskAlreadyCompleted], Next: late}]
    End: true
  - {Type: Succeed, Name: late, OutputConstructor: {late: true}}
""",
        "w",
    )
    race = machine(
        """\
  - Type: Task
    Name: race
    Action: start
    TaskMode: WaitForCustomCallback
    Parameters: {token.$: $Context.Current.TaskToken}
    End: true
""",
        "race",
    )

    def report(given):
        flows.report(given["token"], {"winner": given["n"]})
        return {}

    def start(given):
        for seconds in (30, 10, 20):
            flows.start("racer", {**given, "seconds": seconds}, f"racer-{seconds}")

    actions = {"FNF:ReportTaskSucceeded": report, "start": start}
    flows = local({"racer": racer, "race": race}, actions=actions)
    execution = flows.start("race", {}, "r")
    flows.run()
    assert execution.result() == {"winner": 10}
    assert flows.executions["racer", "racer-30"].result() == {"late": True}


CHILD = machine(
    """\
  - {Type: Choice, Name: ok, Branches: [{Condition: $Input.bad, Next: bad}], Default: good}
  - {Type: Fail, Name: bad, Code: Spoilt, Detail: sour}
  - {Type: Pass, Name: good, OutputConstructor: {from: child}, End: true}
""",
    "ok",
)


def starts(mode: str) -> str:
    """Write a flow that starts the other one."""
    return machine(
        f"""\
  - Type: Task
    Name: sub
    Action: FNF:StartExecution
    TaskMode: {mode}
    Parameters:
      resourceArn: acs:fnf:cn-hangzhou::flow/child
      executionName: one
      input: {{bad.$: $Input.bad}}
    Catch: [{{Description: c, Errors: [Spoilt], Next: caught}}]
    End: true
  - {{Type: Pass, Name: caught, OutputConstructor: {{caught: true}}, End: true}}
""",
        "sub",
    )


@pytest.mark.parametrize(
    ("mode", "bad", "result"),
    [
        ("RequestComplete", True, {"FlowName": "child", "ExecutionName": "one"}),
        ("WaitForSystemCallback", False, {"from": "child"}),
        ("WaitForSystemCallback", True, {"caught": True}),
    ],
)
def test_flows_start_flows(mode: str, bad: bool, result: object):
    """What a started flow gives or fails with is the state's only if it waits for its end."""
    assert ran(starts(mode), {"bad": bad}, {"child": CHILD}).result() == result


def test_a_flow_that_there_is_not_is_an_error():
    """Starting a flow that does not exist fails the state, by a name it can be caught by."""
    found = ran(starts("RequestComplete"), {"bad": False})
    assert (found.status, found.error) == ("Failed", "fnf.FlowNotExists")


AGAIN = """\
  - {Type: Pass, Name: on, OutputConstructor: {n.$: 'intAdd($Input.n, 1)', left.$: $Input.left},
     Next: more}
  - Type: Choice
    Name: more
    Branches:
      - {Condition: '$Input.n >= 20 && $Input.left > 0', Next: anew}
      - {Condition: '$Input.n >= 20', Next: done}
    Default: on
  - Type: Task
    Name: anew
    Action: FNF:StartExecution
    Parameters:
      resourceArn: acs:fnf:cn-hangzhou::flow/flow
      input: {n: 0, left.$: 'intAdd($Input.left, -1)'}
    End: true
  - {Type: Succeed, Name: done}
"""


def test_a_flow_goes_on_as_a_new_execution_before_its_log_is_full():
    """A flow that counts starts itself anew; each log stays below the limit of events."""
    flows = local({"flow": machine(AGAIN, "on")}, max_events=120)
    flows.start("flow", {"n": 0, "left": 3})
    found = list(flows.executions.values())
    assert [e.status for e in found] == ["Succeeded"] * 4
    assert found[-1].output == {"n": 20, "left": 0}
    assert all(len(e.events) <= 120 for e in found)


def test_a_log_that_is_full_fails_the_execution():
    """An execution with more events than there may be fails and says so."""
    flows = local({"flow": machine(AGAIN, "on")}, max_events=50)
    found = flows.start("flow", {"n": -1000, "left": 0})
    assert (found.status, found.error) == ("Failed", "FnF.EventLimitExceeded")
    assert len(found.events) <= 50


def test_a_distributed_map_is_executions_of_their_own():
    """Each item is an execution with an input built from $Item; so many may fail."""
    text = machine(
        f"""\
  - Type: Map
    Name: each
    ItemsPath: $Input.items
    ItemConstructor: {{n.$: $Item.n}}
    ToleratedFailedCount: 1
    Processor:
      StartAt: act
      States:
        - Type: Task
          Name: act
          Action: FC:InvokeFunction
          Parameters: {{resourceArn: {fc("act")}, body.$: $Input}}
          OutputConstructor: {{n.$: $Output.Body}}
          End: true
    End: true
""",
        "each",
    )

    def act(body):
        if body["n"] == 2:
            raise ValueError("two")
        return body["n"] * 10

    items = [{"n": n, "more": "x"} for n in (1, 2, 3)]
    assert ran(text, {"items": items}, act=act).result() == {"Items": [{"n": 10}, None, {"n": 30}]}
    assert ran(text, {"items": [{"n": 2}] * 2}, act=act).error == "ValueError"


def test_chance_is_the_same_after_a_crash():
    """Uuid and randomInt draw from the log: what was drawn before a crash is drawn again."""
    text = machine(
        """\
  - {Type: Pass, Name: a, OutputConstructor: {id.$: uuid(), n.$: 'randomInt(0, 1000000)'}, Next: b}
  - {Type: Pass, Name: b, OutputConstructor: {id.$: $Input.id, n.$: $Input.n, m.$: uuid()},
     End: true}
""",
        "a",
    )
    found = ran(text).result()
    assert found["id"] != found["m"]


def test_what_is_no_plain_data_fails_the_call():
    """A function that gives what JSON has not is an error of its state."""
    found = ran(machine(call("f", "End: true"), "f"), {}, f=lambda _: {1, 2})
    assert (found.status, found.error) == ("Failed", "FC.Unknown")


def test_a_function_that_there_is_not_is_named():
    """A call of what is not known fails with the names of what is."""
    found = ran(machine(call("f", "End: true"), "f"), {}, g=len)
    assert found.error == "FC.FunctionNotFound"
    assert "known: g" in found.cause


def test_a_name_is_good_for_one_execution():
    """The same name gives the execution that runs; one that is over is refused."""
    flows = local({"flow": machine(WAITS, "ask")})
    first = flows.start("flow", {"n": 1}, "x")
    assert flows.start("flow", {"n": 2}, "x") is first
    flows.stop(first, "Tired", "enough")
    assert (first.status, first.error) == ("Stopped", "Tired")
    with pytest.raises(CloudFlowError, match="ExecutionAlreadyExists"):
        flows.start("flow", {"n": 2}, "x")


@pytest.mark.parametrize("key", ["ItemReader", "ItemBatcher", "ResultWriter"])
def test_what_is_not_carried_out_is_an_error(key: str):
    """Keys of a distributed Map that nothing is done with fail it, and are not passed over."""
    text = machine(
        f"""\
  - Type: Map
    Name: each
    ItemsPath: $Input.items
    {key}: {{a: 1}}
    Processor: {{StartAt: p, States: [{{Type: Pass, Name: p, End: true}}]}}
    Catch:
      - {{Description: c, Errors: [FnF.ActionNotSupported], Next: told,
         OutputConstructor: {{detail.$: $Context.Current.Error.Detail}}}}
    End: true
  - {{Type: Pass, Name: told, End: true}}
""",
        "each",
    )
    assert key in ran(text, {"items": [1]}).result()["detail"]
