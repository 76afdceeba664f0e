"""How executions begin: by a request, as a child, or as what another one continues as."""

from __future__ import annotations

from typing import Final, NamedTuple

from nbflow.services.swf.emulator.execution import Execution
from nbflow.services.swf.emulator.journal import NONE, begin, chosen
from nbflow.services.swf.emulator.world import Domain, Registered, World
from nbflow.services.swf.shapes import Data

_SETTINGS: Final = {
    "executionStartToCloseTimeout": "defaultExecutionStartToCloseTimeout",
    "taskStartToCloseTimeout": "defaultTaskStartToCloseTimeout",
    "taskList": "defaultTaskList",
    "childPolicy": "defaultChildPolicy",
    "taskPriority": "defaultTaskPriority",
    "lambdaRole": "defaultLambdaRole",
}
_OPTIONAL: Final = ("taskPriority", "lambdaRole")


class Refused(NamedTuple):
    """Why no execution can begin.

    Attributes:
        cause: As in ``StartChildWorkflowExecutionFailed``.
        setting: The default that is missing, if that is it.
    """

    cause: str
    setting: str = ""


def settings(registered: Registered, given: Data) -> Data | Refused:
    """Give the settings of a new execution: those given, and the type's defaults for the rest."""
    found = {}
    for name, default in _SETTINGS.items():
        value = given.get(name) or registered.given.get(default)
        if value is not None:
            found[name] = value
        elif name not in _OPTIONAL:
            return Refused(f"{_constant(default)}_UNDEFINED", default)
    return found


def _constant(name: str) -> str:
    return "".join(f"_{letter}" if letter.isupper() else letter.upper() for letter in name)


def usable(world: World, domain: Domain, workflow_type: Data) -> Registered | Refused:
    """Give a registered workflow type that executions may be started of."""
    found = domain.types["Workflow"].get((workflow_type["name"], workflow_type["version"]))
    if found is None:
        return Refused("WORKFLOW_TYPE_DOES_NOT_EXIST")
    if found.deprecated is not None:
        return Refused("WORKFLOW_TYPE_DEPRECATED")
    if len(domain.open) >= world.limits.executions:
        return Refused("OPEN_WORKFLOWS_LIMIT_EXCEEDED")
    return found


def too_long(world: World, found: Data) -> bool:
    """Whether an execution is given more time than any may have, or time without end."""
    seconds = found["executionStartToCloseTimeout"]
    return seconds == NONE or int(seconds) > world.limits.execution_seconds


def start(
    world: World, domain: Domain, given: Data, found: Data, run_id: str = "", **origin: object
) -> Execution:
    """Begin an execution.

    Args:
        world: Everything.
        domain: Where.
        given: What was asked for: workflow id, type, input, tags.
        found: Its settings.
        run_id: The id of the run, if it has one already.
        origin: What it comes from: members of the started event.
    """
    execution = Execution(domain.name, given["workflowId"], run_id or world.new_run_id())
    attributes = {
        "workflowType": given["workflowType"],
        "parentInitiatedEventId": 0,
        **found,
        **chosen(given, "input", "tagList"),
        **origin,
    }
    begin(world, execution, attributes)
    return execution
