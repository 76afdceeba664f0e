"""Tab: flags, verbs, and the names of runs, workflows and executors."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)

from nbflow import executors, services
from nbflow.core.definition import is_workflow_class
from nbflow.core.workflow import WorkflowFunction
from nbflow.magics import commands, forms
from nbflow.magics.define import ACTIVITY, WORKFLOW
from nbflow.magics.verbs import VERBS
from nbflow.running.run import Run

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


_CELL = re.compile(r"%%(activity|workflow)\s+(.*)", re.DOTALL)
_LINE = re.compile(r"\s*(?:[\w., ]+=\s*)?%?nbflow\s+(.*)", re.DOTALL)
_PLACES = ("--on", "--executor")


def matcher(shell: InteractiveShell) -> Any:
    """Make what IPython asks at each Tab."""

    @context_matcher()  # type: ignore[untyped-decorator,unused-ignore]
    def nbflow_matcher(context: CompletionContext) -> SimpleMatcherResult:
        found, alone = _completions(shell, context)
        fitting = [
            SimpleCompletion(text, type=kind)
            for text, kind in found
            if text.startswith(context.token)
        ]
        return SimpleMatcherResult(completions=fitting, suppress=alone and bool(fitting))

    return nbflow_matcher


def _completions(
    shell: InteractiveShell, context: CompletionContext
) -> tuple[list[tuple[str, str]], bool]:
    """Give texts with their kinds, and whether they are all that makes sense there."""
    before = context.text_until_cursor
    cell = _CELL.match(before) if context.cursor_line == 0 else None
    if cell is not None:
        return _flags(ACTIVITY if cell[1] == "activity" else WORKFLOW, cell[2], context.token)
    line = _LINE.match(before)
    if line is None:
        return [], False
    verb, space, rest = line[1].partition(" ")
    if not space:
        return [(name, "verb") for name in (*VERBS, *commands.others(VERBS))], True
    if verb not in VERBS:
        known = verb in commands.others(VERBS)
        return (list(_operands(shell, "run")), True) if known else ([], False)
    found, alone = _flags(VERBS[verb].parser(), rest, context.token)
    if VERBS[verb].command and found and found[0][1] == "flag":
        own = {word for word, _ in found}
        there = forms.taken(verb, VERBS[verb].command)
        found += [(word, "flag") for word in there if word not in own]
    if not found and not context.token.startswith("-"):
        found = list(_operands(shell, VERBS[verb].takes))
        alone = VERBS[verb].takes not in {"", "workflow"}
    return found, alone


def _flags(
    parser: argparse.ArgumentParser, text: str, token: str
) -> tuple[list[tuple[str, str]], bool]:
    words = text.split()
    last = words[-2:-1] if token and words else words[-1:]
    if last and last[0] in _PLACES:
        services_too = services.TABLE if last[0] == "--on" else ()
        return [(name, "executor") for name in (*executors.TABLE, *services_too)], True
    if not token.startswith("-"):
        return [], False
    actions = parser._actions  # noqa: SLF001 - argparse has no public list of them
    return [(flag, "flag") for action in actions for flag in action.option_strings], True


def _operands(shell: InteractiveShell, kind: str) -> Iterator[tuple[str, str]]:
    match kind:
        case "executor":
            yield from ((name, kind) for name in executors.TABLE)
        case "verb":
            yield from ((name, kind) for name in (*VERBS, *commands.others(VERBS)))
        case "run" | "workflow":
            for name, thing in list(shell.user_ns.items()):
                if not name.startswith("_") and _is(kind, thing):
                    yield name, kind


def _is(kind: str, thing: object) -> bool:
    if kind == "run":
        return isinstance(thing, Run)
    return isinstance(thing, WorkflowFunction) or is_workflow_class(thing)
