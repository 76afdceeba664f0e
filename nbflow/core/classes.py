"""Activities written as classes: made of a call's arguments, with ``execute`` and its helpers."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from nbflow.core.errors import DefinitionError
from nbflow.core.fingerprint import digest, fingerprint

_OWN = "__nbflow_class__"


def own_class(fn: object) -> type | None:
    """Give the class that a function made by `adapted` stands for; None for any other."""
    return getattr(fn, _OWN, None)


def belong(fn: object, cls: type) -> None:
    """Say which class a function of `adapted` stands for now: a copy of the first one."""
    setattr(fn, _OWN, cls)


def adapted(cls: type) -> Callable[..., Any]:
    """Make a function of a class: of the arguments of ``__init__``, giving what ``execute`` gives.

    Raises:
        DefinitionError: The class has no ``execute(self)``.
    """
    execute = getattr(cls, "execute", None)
    if not callable(execute):
        _refuse(f"{cls.__name__} is a class without execute: an activity is a function, or a class")
    if inspect.isgeneratorfunction(execute) or inspect.isasyncgenfunction(execute):
        _refuse(f"{cls.__name__}.execute is a generator: give the values together, as a list")
    signature = inspect.signature(execute)
    needed = [p for p in list(signature.parameters.values())[1:] if p.default is p.empty]
    if any(p.kind not in {p.VAR_POSITIONAL, p.VAR_KEYWORD} for p in needed):
        _refuse(
            f"{cls.__name__}.execute takes self alone: the call's arguments go to __init__, "
            f"but it asks for {needed[0].name}"
        )
    made = _async(cls) if inspect.iscoroutinefunction(execute) else _plain(cls)
    return _dressed(made, cls, signature.return_annotation)


def _plain(cls: type) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        instance = instance_of(cls, args, kwargs)
        result = instance.execute()
        after(instance, result)
        return result

    return run


def _async(cls: type) -> Callable[..., Any]:
    async def run(*args: Any, **kwargs: Any) -> Any:
        instance = instance_of(cls, args, kwargs)
        result = await instance.execute()
        done = after(instance, result)
        if inspect.isawaitable(done):
            await done
        return result

    return run


def instance_of(cls: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Make the instance of one attempt, which knows its context if a run executes it."""
    # Set before __init__ runs, so that this may look at it, too.
    new: Any = cls.__new__
    made: Any = object.__new__(cls) if new is object.__new__ else new(cls, *args, **kwargs)
    made.context = _current()
    made.__init__(*args, **kwargs)
    return made


def after(instance: Any, result: object) -> object:
    """Call ``post_execute``, where there is one, with the result if it takes that."""
    post = getattr(instance, "post_execute", None)
    if post is None:
        return None
    return post(result) if inspect.signature(post).parameters else post()


_contexts: list[Callable[[], object]] = []
"""Gives the context of the running attempt: put here by the layer that runs attempts."""


def provide(context: Callable[[], object]) -> None:
    """Say how the context of the running attempt is found."""
    _contexts[:] = [context]


def _current() -> object:
    return _contexts[0]() if _contexts else None


def _dressed(run: Callable[..., Any], cls: type, gives: object) -> Callable[..., Any]:
    functools.update_wrapper(run, cls, updated=())
    del run.__wrapped__  # type: ignore[attr-defined]
    # One of the notebook's own counts as such: see `nbflow.core.capture`.
    taken: Any = inspect.signature(cls)
    run.__signature__ = taken.replace(return_annotation=gives)  # type: ignore[attr-defined]
    belong(run, cls)
    return run


def class_digest(cls: type) -> str:
    """Give the digest of the code of a class and of those that it inherits from."""
    return digest("class", cls.__qualname__, *_codes(cls))


def _codes(cls: type) -> Iterator[str]:
    for base in cls.__mro__:
        for name, value in sorted(vars(base).items()):
            inner = getattr(value, "__func__", value)
            if inspect.isfunction(inner):
                yield name
                yield fingerprint(inner)


def _refuse(reason: str) -> NoReturn:
    raise DefinitionError(reason)
