"""Types along an edge: what an activity gives against what the next one takes."""

from __future__ import annotations

import inspect
import types
import typing
import warnings
from collections.abc import Callable
from typing import Any

from nbflow.core.activity import Activity

_OPEN = frozenset({object, Any, types.UnionType})
_WIDER: dict[type, tuple[type, ...]] = {float: (int,), complex: (int, float)}
"""What annotations take besides subclasses (PEP 484's numeric tower)."""


class EdgeTypeWarning(UserWarning):
    """An activity is given the result of another one whose annotation says that it cannot fit."""


def check_edge(source: Activity[..., Any], target: Activity[..., Any], where: int | str) -> None:
    """Warn if the annotations at the two ends of an edge exclude each other.

    Only plain classes are compared, so that what is not certain is not said: ``list[int]`` counts
    as ``list``, and unions, protocols and type variables are left to a type checker.

    Args:
        source: The activity whose result is passed on.
        target: The activity that gets it.
        where: Position or name of the argument.
    """
    parameter = _parameter(target, where)
    if parameter is None:
        return
    gives = _plain(_hints(source.fn).get("return"))
    takes = _plain(_hints(target.fn).get(parameter))
    if gives is None or takes is None or not excludes(gives, takes):
        return
    message = (
        f"{target.name}({parameter}: {takes.__name__}) is given the result of "
        f"{source.name}() -> {gives.__name__}"
    )
    warnings.warn(message, EdgeTypeWarning, stacklevel=2)


def excludes(gives: type, takes: type) -> bool:
    """Whether nothing that is of one class is of the other: of two annotations along an edge."""
    if issubclass(gives, (takes, *_WIDER.get(takes, ()))):
        return False
    return not issubclass(takes, gives)  # a subclass may well come


def _parameter(target: Activity[..., Any], where: int | str) -> str | None:
    if isinstance(where, str):
        return where if where in target.signature.parameters else None
    for index, parameter in enumerate(target.signature.parameters.values()):
        if parameter.kind is parameter.VAR_POSITIONAL:
            return None
        if index == where:
            return parameter.name
    return None


def _hints(fn: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(fn)
    except Exception:  # noqa: BLE001 - annotations are evaluated: anything may be wrong with them
        return {}


def _plain(hint: object) -> type | None:
    """Give the class that an annotation stands for, if it stands for one."""
    kind = typing.get_origin(hint) or hint
    if hint is None or kind is type(None):
        return None
    if not inspect.isclass(kind) or kind in _OPEN or getattr(kind, "_is_protocol", False):
        return None
    return kind
