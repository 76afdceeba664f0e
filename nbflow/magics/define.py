"""``%%activity`` and ``%%workflow``: a cell becomes what the decorator would have made."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from nbflow.core.activity import Activity, activity
from nbflow.core.errors import DefinitionError
from nbflow.core.fingerprint import fingerprint
from nbflow.core.workflow import WorkflowFunction, workflow
from nbflow.magics import notices, options
from nbflow.magics.body import Cell
from nbflow.magics.expressions import Asked
from nbflow.magics.header import Header, parse

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


Made = Activity[..., Any] | WorkflowFunction[..., Any]


@dataclass(slots=True)
class Definitions:
    """Makes definitions of cells, and counts how often each name was defined.

    Attributes:
        shell: Where the names go.
        seen: By name, what was last defined and how many different ones there were.
    """

    shell: InteractiveShell
    seen: dict[str, tuple[tuple[str, ...], int]] = field(default_factory=dict)

    def activity(self, line: str, body: str) -> None:
        """Define an activity."""
        header = parse(line)
        flags = options.read(ACTIVITY, header.flags)
        changes = options.given(self.shell, flags)
        found = Cell("activity", line, body).define(self.shell, header)
        made = _activity(found, changes)
        self._bind(header.name or made.fn.__name__, made, header, body)

    def workflow(self, line: str, body: str) -> tuple[argparse.Namespace, Asked] | None:
        """Define a workflow; with ``--run``, give what is to be started."""
        header = parse(line)
        flags = options.read(WORKFLOW, header.flags)
        output = options.output(flags.output)
        starting = (output, flags.args, flags.on, flags.max_workers, flags.wait, flags.domain)
        named = flags.simulate or flags.place or flags.tags
        given = named or any(value is not None for value in starting)
        if not flags.run and given:
            raise UsageError("-o, --on, --args and --wait are for starting a run: add --run")
        args, kwargs = options.arguments(flags.args)
        place = options.run_place(self.shell, flags)
        found = Cell("workflow", line, body).define(self.shell, header)
        made = _workflow(found, flags, options.further(self.shell, flags))
        asked = Asked(made, place, tuple(args), kwargs)
        if flags.run:
            asked.check()
        self._bind(header.name or made.fn.__name__, made, header, body)
        return (flags, asked) if flags.run else None

    def _bind(self, name: str, made: Made, header: Header, body: str) -> None:
        identity = (fingerprint(made.fn), str(made.signature), header.flags, made.__doc__ or "")
        before, version = self.seen.get(name, ((), 0))
        if identity != before:
            version += 1
        self.seen[name] = identity, version
        self.shell.user_ns[name] = made
        if body.rstrip().endswith(";"):
            return
        again = (
            f" · version {version}: new runs use it" if version > 1 and identity != before else ""
        )
        notices.say(notices.describe(made, self.shell.user_ns) + again)


ACTIVITY = options.activity_flags()
WORKFLOW = options.workflow_flags()


def _activity(found: Any, changes: dict[str, Any]) -> Activity[..., Any]:
    try:
        if isinstance(found, Activity):
            return found.options(**changes) if changes else found
        made: Activity[..., Any] = activity(**changes)(found)
    except DefinitionError as error:
        raise UsageError(f"%%activity: {error}") from None
    return made


def _workflow(
    found: Any, flags: argparse.Namespace, further: dict[str, Any]
) -> WorkflowFunction[..., Any]:
    fn, old = (found.fn, found) if isinstance(found, WorkflowFunction) else (found, None)
    changes = {
        key: getattr(flags, key) or getattr(old, key, None)
        for key in ("name", "version", "task_list")
    }
    try:
        made: WorkflowFunction[..., Any] = workflow(
            **{k: v for k, v in changes.items() if v is not None},
            lint=old is None and not flags.no_lint,  # a decorator has looked already
            **further,
        )(fn)
        if old is not None:  # what its decorator says, and the flags do not
            made = replace(made, settings=old.settings.changed(further))
    except DefinitionError as error:
        raise UsageError(f"%%workflow: {error}") from None
    return made
