"""Takes apart what people write to start a run: ``revenue(["eu"], rate=1.1)``."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from nbflow.core.definition import is_workflow_class
from nbflow.core.errors import NbflowError
from nbflow.core.parsing import parsed_expression
from nbflow.core.workflow import Place, Placed, Target, WorkflowFunction, definition
from nbflow.magics import notices
from nbflow.running.run import Run
from nbflow.running.starting import Launcher

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


@dataclass(frozen=True, slots=True)
class Asked:
    """A run that somebody asks for.

    Attributes:
        target: The workflow.
        place: Where it is to run.
        args: Positional arguments.
        kwargs: Named arguments.
        changes: Options in the place of the workflow's own.
    """

    target: Target
    place: Place
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    changes: dict[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Raise UsageError unless the arguments fit."""
        try:
            definition(self.target).check(self.args, self.kwargs)
        except TypeError as error:
            raise UsageError(str(error)) from None

    def start(self) -> Run[Any]:
        """Start it.

        Raises:
            UsageError: It cannot be started.
        """
        self.check()
        try:
            return Launcher().start(self.target, self.place, self.args, self.kwargs, self.changes)
        except (NbflowError, TypeError) as error:
            raise UsageError(notices.one_line(error)) from None


def asked(shell: InteractiveShell, text: str, on: Any, workers: int | None) -> Asked:
    """Read an expression: a workflow, or one called with arguments. Starts nothing.

    Raises:
        UsageError: It is something else, or cannot be evaluated.
    """
    if not text:
        raise UsageError('which workflow? Write it as in Python: revenue(["eu"])')
    try:
        tree = parsed_expression(text)
    except SyntaxError as error:
        raise UsageError(f"{text}: {error.msg}") from None
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}
    call = tree.body
    space = {"__nbflow_args__": lambda *a, **k: (a, k)}
    if isinstance(call, ast.Call):
        named = ast.copy_location(ast.Name("__nbflow_args__", ast.Load()), call.func)
        args, kwargs = _value(shell, ast.Call(named, call.args, call.keywords), text, space)
        call = call.func
    if isinstance(call, ast.Attribute) and call.attr == "start":
        call = call.value
    return _asked(_value(shell, call, text, space), text, args, kwargs, options(on, workers))


def options(on: Any, workers: int | None) -> Place:
    """Give the place that flags name."""
    return Place(on, {} if workers is None else {"max_workers": workers})


def _value(shell: InteractiveShell, node: ast.expr, text: str, space: dict[str, Any]) -> Any:
    code = compile(ast.fix_missing_locations(ast.Expression(node)), "<nbflow>", "eval")
    try:
        return eval(code, {**shell.user_ns, **space})  # noqa: S307 - the user's own expression
    except Exception as error:  # noqa: BLE001 - whatever the user's expression raises
        raise UsageError(f"{text}: {notices.one_line(error)}") from None


def _asked(
    found: Any, text: str, args: tuple[Any, ...], kwargs: dict[str, Any], place: Place
) -> Asked:
    if isinstance(found, Placed):
        where = found.place if place == Place() else place
        return Asked(found.target, where, args, kwargs, found.changes)
    if isinstance(found, WorkflowFunction) or is_workflow_class(found):
        return Asked(found, place, args, kwargs)
    raise UsageError(f"{text}: that is no workflow, but {notices.value(found)}")
