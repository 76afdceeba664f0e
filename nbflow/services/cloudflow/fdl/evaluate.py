"""What expressions, conditions, constructors and mappings give for the data of a flow.

Pure: the same text, data and chance give the same value, and the data are never changed.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from nbflow.services.cloudflow.errors import EvaluationError, FdlError
from nbflow.services.cloudflow.fdl.functions import BUILT_IN, same, text_of
from nbflow.services.cloudflow.fdl.syntax import (
    Binary,
    Expression,
    Function,
    Literal,
    Not,
    Path,
    Several,
    parse_expression,
)

VARIABLES: Final = ("$Input", "$Output", "$Context", "$Global", "$Item")
"""Variables of the new language; `$Item` in a distributed Map only."""

OLD_VARIABLES: Final = ("$", "$input", "$local", "$context")
"""Variables of the old language; `$` is what the expression stands in front of."""

_ORDER: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Scope:
    """The data that expressions read.

    Attributes:
        variables: JSON values by variable, the ``$`` included.
        chance: What `uuid` and `randomInt` draw from.
    """

    variables: Mapping[str, Any]
    chance: Random = field(default_factory=Random)


def evaluate(expression: str | Expression, scope: Scope) -> Any:
    """Give an expression's value.

    Args:
        expression: Its text, or the tree made of it.
        scope: The data.

    Raises:
        FdlError: The text is no expression.
        EvaluationError: It has no value for these data.

    Example:
        >>> evaluate("$Input.items[0].price", Scope({"$Input": {"items": [{"price": 3}]}}))
        3
    """
    tree = parse_expression(expression) if isinstance(expression, str) else expression
    match tree:
        case Literal():
            return tree.value
        case Path():
            return _follow(tree, scope)
        case Several():
            return [evaluate(item, scope) for item in tree.items]
        case Function():
            return _call(tree, scope)
        case Not():
            return not _truth(evaluate(tree.operand, scope), tree.operand)
        case Binary():
            return _binary(tree, scope)


def holds(condition: str | Expression, scope: Scope) -> bool:
    """Tell whether a condition is true.

    Raises:
        FdlError: The text is no condition.
        EvaluationError: It has no value for these data, or one that is neither true nor false.
    """
    tree = parse_expression(condition) if isinstance(condition, str) else condition
    return _truth(evaluate(tree, scope), tree)


def construct(template: Any, scope: Scope) -> Any:
    """Fill a constructor of the new language: the value under ``key.$`` is computed for ``key``.

    Raises:
        FdlError: A text under such a key is no expression.
        EvaluationError: One has no value for these data.

    Example:
        >>> construct({"a": "$Input", "b.$": "$Input.n"}, Scope({"$Input": {"n": 1}}))
        {'a': '$Input', 'b': 1}
    """
    if isinstance(template, list):
        return [construct(item, scope) for item in template]
    if not isinstance(template, dict):
        return template
    return {
        key.removesuffix(".$"): evaluate(value, scope)
        if key.endswith(".$")
        else construct(value, scope)
        for key, value in template.items()
    }


def mapped(mappings: Iterable[tuple[str, Any]], scope: Scope) -> dict[str, Any]:
    """Apply mappings of the old language: pairs of target and source.

    A source that is text and begins with a variable is a path, anything else is itself.

    Raises:
        FdlError: A path cannot be read.
        EvaluationError: A path leads nowhere in these data.

    Example:
        >>> mapped([("n", "$input.a"), ("m", 2)], Scope({"$input": {"a": 1}}))
        {'n': 1, 'm': 2}
    """
    return {
        target: evaluate(source, scope) if is_path(source) else source
        for target, source in mappings
    }


def is_path(source: object) -> bool:
    """Tell whether a source of the old language is a path rather than a constant."""
    if not isinstance(source, str):
        return False
    root = source.partition(".")[0].partition("[")[0]
    return root in OLD_VARIABLES


def check_expression(text: object, variables: Iterable[str] = VARIABLES) -> Expression:
    """Read an expression and see that what it names exists.

    Raises:
        FdlError: It cannot be read, or names a variable or function that there is not, or calls
            one with too few or too many arguments.
    """
    if not isinstance(text, str):
        raise FdlError(f"an expression is expected, not {text!r}: put it in quotes")
    tree = parse_expression(text)
    known = tuple(variables)
    for part in parts_of(tree):
        if isinstance(part, Path) and part.root not in known:
            raise FdlError(f"there is no variable {part.root}; there are {', '.join(known)}")
        if isinstance(part, Function):
            _check_call(part)
    return tree


def parts_of(tree: Expression) -> Iterable[Expression]:
    """Go through an expression and all that it is made of."""
    yield tree
    match tree:
        case Several():
            inner: tuple[Expression, ...] = tree.items
        case Function():
            inner = tree.arguments
        case Not():
            inner = (tree.operand,)
        case Binary():
            inner = (tree.left, tree.right)
        case _:
            inner = ()
    for part in inner:
        yield from parts_of(part)


def _check_call(call: Function) -> None:
    built = BUILT_IN.get(call.name)
    if built is None:
        raise FdlError(f"there is no function {call.name}; there are {', '.join(sorted(BUILT_IN))}")
    count = len(call.arguments)
    if count < built.least or (built.most is not None and count > built.most):
        most = "or more" if built.most is None else f"to {built.most}"
        wanted = str(built.least) if built.least == built.most else f"{built.least} {most}"
        raise FdlError(f"{call.name} takes {wanted} arguments, not {count}")


def _call(call: Function, scope: Scope) -> Any:
    _check_call(call)
    arguments = [evaluate(argument, scope) for argument in call.arguments]
    try:
        return BUILT_IN[call.name].compute(scope.chance, *arguments)
    except EvaluationError as error:
        raise EvaluationError(f"{call.name}: {error}") from error


def _follow(path: Path, scope: Scope) -> Any:
    if path.root not in scope.variables:
        raise EvaluationError(f"{path}: there is no {path.root} here")
    return _into(scope.variables[path.root], path.steps, path)


def _into(value: Any, steps: tuple[str | int | None, ...], path: Path) -> Any:
    for number, step in enumerate(steps):
        if step is None:
            return _each(value, steps[number + 1 :], path)
        if _has(value, step):
            value = value[step]
        else:
            reached = Path(path.root, path.steps[: len(path.steps) - len(steps) + number + 1])
            raise EvaluationError(f"{path}: the data have no {reached}")
    return value


def _has(value: Any, step: str | int) -> bool:
    if isinstance(step, str):
        return isinstance(value, dict) and step in value
    return isinstance(value, list) and step < len(value)


def _each(value: Any, steps: tuple[str | int | None, ...], path: Path) -> list[Any]:
    if not isinstance(value, list):
        raise EvaluationError(f"{path}: [*] is for arrays, not for {text_of(value)[:80]}")
    found = [_into(item, steps, path) for item in value]
    return [item for inner in found for item in inner] if None in steps else found


def _truth(value: Any, tree: Expression) -> bool:
    if not isinstance(value, bool):
        raise EvaluationError(f"{tree} is neither true nor false but {text_of(value)[:80]}")
    return value


def _binary(tree: Binary, scope: Scope) -> bool:
    if tree.operator in {"&&", "||"}:
        left = _truth(evaluate(tree.left, scope), tree.left)
        if left is (tree.operator == "||"):
            return left
        return _truth(evaluate(tree.right, scope), tree.right)
    left, right = evaluate(tree.left, scope), evaluate(tree.right, scope)
    if tree.operator == "==":
        return same(left, right)
    if tree.operator == "!=":
        return not same(left, right)
    if tree.operator == "in":
        if not isinstance(right, list):
            raise EvaluationError(f"{tree}: what follows `in` is no array")
        return any(same(left, item) for item in right)
    if not _ordered(left, right):
        raise EvaluationError(
            f"{tree}: {text_of(left)[:80]} and {text_of(right)[:80]} have no order"
        )
    return _ORDER[tree.operator](left, right)


def _ordered(left: object, right: object) -> bool:
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (left, right))
    return numbers or (isinstance(left, str) and isinstance(right, str))
