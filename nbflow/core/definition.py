"""What a run needs to know of a workflow, whichever way that was written."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nbflow.core.activity import check_arguments
from nbflow.core.child import WorkflowOptions
from nbflow.core.errors import DefinitionError
from nbflow.core.hooks import HOOKS, Hooks

if TYPE_CHECKING:
    from nbflow.core.workflow import Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What a run needs to know of a workflow, whichever way it was written.

    Attributes:
        name: Its name, and the first part of its runs' ids.
        version: Told apart from other versions of the same name on a service.
        task_list: Where a service's deciders look for its runs.
        fn: The code, as a function of the workflow's own arguments.
        signature: Of those arguments.
        doc: Its docstring.
        settings: Its options.
        cls: The class, if it is written as one.
    """

    name: str
    version: str
    task_list: str
    fn: Callable[..., Any]
    signature: inspect.Signature
    doc: str = ""
    settings: WorkflowOptions = field(default_factory=WorkflowOptions)
    cls: Any = None

    def tags_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, ...]:
        """Give the tags of a run with these arguments: what ``get_tag_list`` says, or its own.

        Raises:
            DefinitionError: That gives no tags.
        """
        ask = getattr(self.cls, "get_tag_list", None)
        if ask is None:
            return self.settings.tags
        return self.settings.changed({"tags": ask(*args, **kwargs)}).tags

    def task_list_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """Give the task list of a run with these arguments, by ``get_task_list`` or its own."""
        ask = getattr(self.cls, "get_task_list", None)
        return self._text("get_task_list", ask(*args, **kwargs)) if ask else self.task_list

    def run_id_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """Give the id that ``get_workflow_id`` has for a run with these arguments; "" for any."""
        ask = getattr(self.cls, "get_workflow_id", None)
        return self._text("get_workflow_id", ask(*args, **kwargs)) if ask else ""

    def _text(self, asked: str, given: object) -> str:
        if isinstance(given, str) and given.strip():
            return given
        message = f"{self.name}.{asked} gives a text, not {given!r:.60}"
        raise DefinitionError(message)

    def check(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise TypeError unless the arguments fit the signature."""
        check_arguments(self.name, self.signature, args, kwargs)


def definition(target: object) -> Definition:
    """Give what a run needs to know of a workflow.

    Raises:
        DefinitionError: It is no workflow.
    """
    define = getattr(target, "__definition__", None)
    # A class answers for itself, and not for an instance of it.
    own = isinstance(target, type) or not isinstance(getattr(define, "__self__", None), type)
    found = define() if callable(define) and own else None
    if isinstance(found, Definition):
        return found
    message = f"{target!r:.60} is no workflow: decorate it with @workflow, or subclass Workflow"
    raise DefinitionError(message)


def is_workflow_class(thing: object) -> bool:
    """Whether something is a workflow that is written as a class, and no mere base of such.

    That is a class with a ``run`` of its own below one that has ``__definition__``: `Workflow`, or
    that of a library which gives its programs other names.
    """
    if not isinstance(thing, type):
        return False
    base: Any = next((each for each in thing.__mro__ if "__definition__" in vars(each)), None)
    if base is None or base is thing:
        return False
    return getattr(thing, "run", None) is not getattr(base, "run", None)


def of_class(cls: type[Workflow]) -> Definition:
    """Give the definition of a workflow that is written as a class."""
    signature = inspect.signature(cls.run)
    own = list(signature.parameters.values())[1:]
    return Definition(
        name=cls.name or cls.__name__,
        version=cls.version,
        task_list=cls.task_list,
        fn=ClassBody(cls),
        signature=signature.replace(parameters=own),
        doc=cls.__doc__ or "",
        settings=_class_options(cls),
        cls=cls,
    )


def _class_options(cls: type[Workflow]) -> WorkflowOptions:
    """Read what a class says of its runs in attributes."""
    return WorkflowOptions().changed(
        {
            "tags": cls.tag_list,
            "task_priority": cls.task_priority,
            "retry": cls.retry,
            "raises_on_failure": cls.raises_on_failure,
            "idempotent": cls.idempotent,
            "parent_close": cls.parent_close,
            "max_open_activity_count": cls.max_open_activity_count,
            "max_events": cls.max_events,
            "clean_up_timeout": cls.clean_up_timeout,
            "propagate_signals_to_parent": cls.propagate_signals_to_parent,
            "on_task_failure": _Asked(cls) if cls.on_task_failure is not None else None,
            **{name: getattr(cls, name, None) for name in HOOKS},
        }
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """The ``on_task_failure`` of a class workflow as a function."""

    cls: type[Workflow]

    def __call__(self, failure: Any) -> Any:
        return self.cls().on_task_failure(failure)  # type: ignore[misc]


@dataclass(frozen=True, slots=True)
class ClassBody:
    """The code of a class workflow as a function: a new instance for each execution."""

    cls: type[Workflow]

    def begin(self, hooks: Hooks) -> Instance:
        """Make the instance of one execution, whose hooks know what its code has noted in it.

        Those of `hooks` that are not the class's own stand in their place.
        """
        made = self.cls()

        def hook(name: str) -> Any:
            given = getattr(hooks, name)
            own = given is None or given is getattr(self.cls, name, None)
            return getattr(made, name, None) if own else given

        return Instance(made.run, Hooks.of({name: hook(name) for name in HOOKS}), self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Execute it without its hooks."""
        return self.cls().run(*args, **kwargs)


@dataclass(frozen=True, slots=True)
class Instance:
    """One execution of a class workflow: its code, its hooks, and what it is one of."""

    run: Callable[..., Any]
    hooks: Hooks
    of: ClassBody

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Execute the code."""
        return self.run(*args, **kwargs)
