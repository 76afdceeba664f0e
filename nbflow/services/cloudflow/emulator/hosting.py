"""Executions: each is a log, and a pure machine that says what to do next."""

from __future__ import annotations

import heapq
import json
import uuid
from typing import Any, Final

from nbflow.services.cloudflow.client.answers import OVER
from nbflow.services.cloudflow.emulator import tokens
from nbflow.services.cloudflow.emulator.calling import Outcome
from nbflow.services.cloudflow.emulator.faults import Fault, wrong
from nbflow.services.cloudflow.emulator.logs import Live, Logs, key_of
from nbflow.services.cloudflow.emulator.store import Data
from nbflow.services.cloudflow.fdl.definition import FlowDefinition
from nbflow.services.cloudflow.interpret import api

_CLOSING: Final = 2
"""Events that are kept free below the limit, for the failure that says so."""


class Host(Logs):
    """Runs executions.

    Args:
        world: What there is.
        caller: Calls what flows call; hands outcomes to `heard`.
        machine: Makes the machine of an execution.
    """

    # Begin

    def load(self) -> None:
        """Go on with what ran when the emulator was ended."""
        for data in reversed(self._world.store.executions("status = 'Running'", ())):
            self._revive(data)

    def _revive(self, data: Data) -> None:
        live = self._make(data)
        for event in self._world.store.events(data["id"]):
            self._apply(live, event)
        for number, command in live.machine.open:
            self._again(live, number, command)
        self._ready.append(live.number)

    def _again(self, live: Live, task: int, command: api.RunTask | api.StartFlow) -> None:
        """Do again what may not have been done; a message that was sent is in its queue."""
        if isinstance(command, api.RunTask):
            self._caller.again(live.number, task, self._filled(live, task, command))
            return
        child = self._child(live.number, task)
        if child is not None and child["status"] in OVER:
            self._tell_parent(child)

    def _child(self, parent: int, task: int) -> Data | None:
        where = "json_extract(data, '$.parent[0]') = ? and json_extract(data, '$.parent[1]') = ?"
        found = self._world.store.executions(where, (parent, task), 1)
        return found[0] if found else None

    def _make(self, data: Data) -> Live:
        definition = FlowDefinition.parse(data["definition"])
        info = api.ExecutionInfo(
            flow=data["flow"],
            name=data["name"],
            input=json.loads(data["input"]),
            started=data["started"],
            role=data["role"],
            express=data["express"],
        )
        live = Live(data["id"], data, self._machine(definition, info))
        self._live[live.number] = live
        heapq.heappush(self._timers, (data["deadline"], next(self._numbers), live.number, None))
        return live

    def start(self, given: Data, *, express: bool = False, **more: Any) -> Data:
        """Start an execution, or give the one of that name that runs.

        Raises:
            Fault: There is no such flow, its mode is the other one, or one of that name is over.
        """
        flow = given["flow_name"]
        data, version = self._world.qualified(flow, given.get("qualifier"))
        if (data["ExecutionMode"] == "Express") != express:
            other = "StartExecution" if express else "StartSyncExecution"
            raise wrong(f"flow {flow} is {data['ExecutionMode']}: use {other}")
        name = given.get("execution_name") or str(uuid.uuid4())
        if express:
            name = f"{name}:{uuid.uuid4()}"
        found = self._world.store.named(flow, name)
        if found is not None and found["status"] in OVER:
            raise Fault("ExecutionAlreadyExists", name, flow)
        if found is not None:
            return found
        most = self._world.limits.executions
        if most and self._world.store.count("status = 'Running'") >= most:
            raise Fault("ResourceLimitExceeded", f"{most} executions")
        kept = self._kept(data, given, express=express) | {"version": version, **more}
        return self._begin(flow, name, kept)

    def _kept(self, flow: Data, given: Data, *, express: bool) -> Data:
        limits, now = self._world.limits, self._world.now
        longest = limits.express_seconds if express else limits.standard_seconds
        stated = FlowDefinition.parse(flow["Definition"]).flow.timeout
        most = [float(seconds) for seconds in (longest, stated) if seconds]
        return {
            "definition": flow["Definition"],
            "input": given.get("input") or "{}",
            "role": flow["RoleArn"],
            "environment": flow["Environment"],
            "callback": given.get("callback_fn_ftask_token") or "",
            "qualifier": given.get("qualifier") or "",
            "express": express,
            "deadline": now + min(most) if most else now + 1e10,
        }

    def _begin(self, flow: str, name: str, kept: Data) -> Data:
        now = self._world.now
        number = self._world.store.begin(flow, name, "Running", now, kept)
        head = {"id": number, "flow": flow, "name": name, "status": "Running", "started": now}
        live = self._make({**kept, **head})
        self._append(
            live, api.Record(type="ExecutionStarted", detail={"input": json.loads(kept["input"])})
        )
        self._ready.append(number)
        return live.data

    # Go on

    def pump(self) -> None:
        """Do all that can be done now."""
        while self._ready:
            live = self._live.get(self._ready.popleft())
            while live is not None and live.number in self._live:
                commands = live.machine.next()
                for command in commands:
                    if live.number not in self._live:
                        break
                    self._carry_out(live, command)
                if not commands:
                    break

    def _carry_out(self, live: Live, command: api.Command) -> None:
        most = self._world.limits.events
        if isinstance(command, api.Close):
            self._close(live, command)
        elif most and live.last + _CLOSING > most:
            cause = f"the execution has {most} events"
            self._close(
                live, api.Close(status="Failed", error="FnF.EventLimitExceeded", cause=cause)
            )
        elif isinstance(command, api.Record):
            self._append(live, command)
        elif isinstance(command, api.StartTimer):
            self._set(live, command)
        elif isinstance(command, api.Cancel):
            self._cancel(live, command)
        elif isinstance(command, api.RunTask):
            task = self._scheduled(live, command)
            self._caller.call(live.number, task, self._filled(live, task, command))
        else:
            self._start_flow(live, command)

    def _scheduled(self, live: Live, command: api.RunTask | api.StartFlow) -> int:
        step, schedule = command.step, command.schedule
        record = api.Record(
            type="TaskScheduled", step=step, schedule=schedule, detail=command.detail
        )
        return self._append(live, record)

    def _filled(self, live: Live, task: int, command: api.RunTask) -> api.RunTask:
        """Put a token where the command has what stands for one."""
        if not command.token:
            return command
        token = tokens.make(live.data["flow"], live.data["name"], task)
        self._world.store.issue(token, live.number, task)
        made = json.loads(json.dumps(command.payload).replace(command.token, token))
        return api.RunTask(
            step=command.step,
            schedule=command.schedule,
            action=command.action,
            resource=command.resource,
            payload=made,
            mode=command.mode,
            token=token,
        )

    def _cancel(self, live: Live, command: api.Cancel) -> None:
        if command.timer is not None:
            live.timers.pop(key_of(command.timer), None)
        if command.task:
            self._world.store.use(live.number, command.task)
            self._caller.give_up(live.number, command.task)

    # Other flows

    def _start_flow(self, live: Live, command: api.StartFlow) -> None:
        task = self._scheduled(live, command)
        given: Data = {
            "flow_name": command.flow,
            "execution_name": command.execution or None,
            "input": json.dumps(command.input if command.input is not None else {}),
            "qualifier": command.qualifier or None,
        }
        if command.token:
            token = tokens.make(live.data["flow"], live.data["name"], task)
            self._world.store.issue(token, live.number, task)
            given["input"] = given["input"].replace(command.token, token)
        waits = command.mode == api.SYSTEM
        try:
            if command.inline:
                child = self._item(live, task, command)
            else:
                child = self.start(given, parent=[live.number, task] if waits else None)
        except Fault as fault:
            said = {"error": f"fnf.{fault.code}", "cause": fault.message}
            self._become(live, task, "TaskSubmitFailed", said)
            return
        answer = {"FlowName": child["flow"], "ExecutionName": child["name"]}
        if command.mode == api.REQUEST:
            self._become(live, task, "TaskSucceeded", {"output": answer})
        else:
            self._become(live, task, "TaskSubmitted", {"output": answer})

    def _item(self, live: Live, task: int, command: api.StartFlow) -> Data:
        """Start the execution of one item of a distributed Map."""
        kept = {
            **live.data,
            "definition": command.inline,
            "input": json.dumps(command.input if command.input is not None else {}),
            "callback": "",
            "parent": [live.number, task],
            "map_run": command.map_run,
        }
        for name in ("id", "flow", "name", "status", "started"):
            kept.pop(name)
        name = command.execution or f"{live.data['name'][:80]}-{task}"
        self._map_run(live, command)
        return self._begin(live.data["flow"], name, kept)

    def _map_run(self, live: Live, command: api.StartFlow) -> None:
        """Keep that there is such a map run, with what its first item says of it."""
        flow, key = live.data["flow"], f"{live.data['name']}/{command.map_run}"
        if self._world.store.get("maprun", flow, key) is None:
            stated = command.detail
            kept = {
                "started": self._world.now,
                "status": "Succeeded",
                "total": stated.get("total", 0),
                "concurrency": stated.get("concurrency", 0),
                "tolerated_failed_count": stated.get("toleratedFailedCount", 0),
                "tolerated_failed_percentage": stated.get("toleratedFailedPercentage", 0.0),
            }
            self._world.store.put("maprun", flow, key, kept)

    def adjust(self, execution: int, map_run: str, changed: Data) -> None:
        """Change how the executions of a distributed Map are started."""
        live = self._live.get(execution)
        if live is not None:
            said = {"mapRun": map_run, **changed}
            self._append(live, api.Record(type="MapRunUpdated", step=map_run, detail=said))
            self._ready.append(execution)

    # What becomes of calls

    def heard(self, number: int, task: int, outcome: Outcome) -> None:
        """Take in what became of a call; of one that is over, nothing."""
        live = self._live.get(number)
        if live is not None:
            self._become(live, task, *self._fitting(outcome.type, outcome.detail))

    def report(self, token: str, kind: str, detail: Data) -> int:
        """Take in what somebody says of a call by its token; give the event's number.

        Raises:
            Fault: There is no such call, or it has its answer.
        """
        found = self._world.store.token(token)
        if found is None:
            raise Fault("TaskNotExists", token)
        number, task, done = found
        live = self._live.get(number)
        if done or live is None:
            raise Fault("TaskAlreadyCompleted", token)
        self._world.store.use(number, task)
        return self._become(live, task, *self._fitting(kind, detail))

    # End

    def stop(self, flow: str, name: str, error: str, cause: str) -> Data:
        """Have an execution end.

        Raises:
            Fault: There is none.
        """
        found = self._world.store.named(flow, name)
        if found is None:
            raise Fault("ExecutionNotExists", name, flow)
        live = self._live.get(found["id"])
        if live is not None:
            self._close(live, api.Close(status="Stopped", error=error, cause=cause))
            found = self._world.store.named(flow, name) or found
        return found

    def _close(self, live: Live, close: api.Close) -> None:
        failed = {"error": close.error, "cause": close.cause}
        detail = {"output": close.output} if close.status == "Succeeded" else failed
        self._append(live, api.Record(type=f"Execution{close.status}", detail=detail))
        output = json.dumps(close.output) if close.status == "Succeeded" else ""
        live.data |= {
            "status": close.status,
            "output": output,
            "stopped": self._world.now,
            **failed,
        }
        kept = {k: v for k, v in live.data.items() if k not in {"id", "flow", "name", "started"}}
        self._world.store.change(live.number, close.status, kept)
        self._world.store.use(live.number)
        self._caller.give_up(live.number)
        self._live.pop(live.number)
        self._world.changed()
        self._tell_parent(live.data)
        self._call_back(live.data)

    def _tell_parent(self, data: Data) -> None:
        if data.get("parent"):
            parent = self._live.get(data["parent"][0])
            if parent is not None:
                self._become(parent, data["parent"][1], *_told(data))

    def _call_back(self, data: Data) -> None:
        """Tell the call whose token the execution was started with."""
        if data.get("callback"):
            try:
                self.report(data["callback"], *_told(data))
            except Fault:
                return  # somebody else was quicker

    def forget(self, flow: str) -> None:
        """Let the executions of a flow go no further: it is deleted."""
        for number, live in list(self._live.items()):
            if live.data["flow"] == flow:
                self._caller.give_up(number)
                self._live.pop(number)

    # Time

    def tick(self) -> None:
        """Let happen what is due by now."""
        for _, _, number, record in list(self._overdue()):
            live = self._live.get(number)
            if live is None:
                continue
            if record is None:
                cause = "the execution took longer than it may"
                self._close(live, api.Close(status="TimedOut", error="FnF.Timeout", cause=cause))
            else:
                live.timers.pop(key_of(record))
                self._append(live, record)
                self._ready.append(number)


def _told(data: Data) -> tuple[str, Data]:
    if data["status"] == "Succeeded":
        return "TaskSucceeded", {"output": json.loads(data["output"] or "null")}
    error = data.get("error") or f"FnF.Execution{data['status']}"
    return "TaskFailed", {"error": error, "cause": data.get("cause") or ""}
