"""Calls in a workflow's text that cannot be right, found without running anything.

A type checker cannot say this: a call of an activity takes values and futures of values alike.
"""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from nbflow.core.edges import excludes
from nbflow.core.parsing import parsed, parsed_expression
from nbflow.magics.source.module import Module
from nbflow.magics.source.tools import Finding

_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class _Activity:
    """What the text of an activity says of its parameters and its types."""

    name: str
    positional: tuple[ast.arg, ...]
    named: dict[str, ast.arg]
    gives: type | None
    needed: tuple[str, ...]
    any_more: bool
    any_named: bool


def unfit(made: Module) -> list[Finding]:
    """Find calls of activities that are given what their signature or annotations exclude.

    That is arguments that are missing or too many, constants, and results of other activities,
    also in a list. Only plain classes of Python's own are compared, as when workflow code runs,
    and only futures that are handed on at once or by a name that is assigned once.

    Args:
        made: The module.
    """
    functions = [node for node in parsed(made.text).body if isinstance(node, _Function)]
    known = {node.name: _activity(node) for node in functions if _decorated(node)}
    return [one for node in functions for one in _in_function(made, node, known)]


def _decorated(node: _Function) -> bool:
    texts = (ast.unparse(decorator).partition("(")[0] for decorator in node.decorator_list)
    return any(text.rpartition(".")[2] == "activity" for text in texts)


def _activity(node: _Function) -> _Activity:
    positional = (*node.args.posonlyargs, *node.args.args)
    named = {arg.arg: arg for arg in (*node.args.args, *node.args.kwonlyargs)}
    own = node.args
    needed = [each.arg for each in positional[: len(positional) - len(own.defaults)]]
    needed += [
        each.arg
        for each, default in zip(own.kwonlyargs, own.kw_defaults, strict=True)
        if default is None
    ]
    more, any_named = own.vararg is not None, own.kwarg is not None
    gives = _plain(node.returns)
    return _Activity(node.name, positional, named, gives, tuple(needed), more, any_named)


def _plain(annotation: ast.expr | None) -> type | None:
    """Give the class of Python's own that an annotation stands for, if it stands for one."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            annotation = parsed_expression(annotation.value).body
        except SyntaxError:
            return None
    if isinstance(annotation, ast.Subscript):
        annotation = annotation.value
    if not isinstance(annotation, ast.Name):
        return None
    found = getattr(builtins, annotation.id, None)
    return found if isinstance(found, type) else None


def _in_function(made: Module, node: _Function, known: dict[str, _Activity]) -> Iterator[Finding]:
    futures = _futures(node, known)
    for call in ast.walk(node):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
            continue
        target = known.get(call.func.id)
        if target is None:
            continue
        text = _unlike(call, target)
        if text:
            yield Finding(*made.place(call.lineno), "call", text)
            continue
        given = [*zip(target.positional, call.args, strict=False)]
        given += [(target.named[k.arg], k.value) for k in call.keywords if k.arg in target.named]
        for parameter, value in given:
            text = next(filter(None, _misfits(value, target, parameter, futures, known)), "")
            if text:
                yield Finding(*made.place(value.lineno), "edge", text)


def _futures(node: _Function, known: dict[str, _Activity]) -> dict[str, _Activity]:
    """Give the names that stand for the future of an activity wherever they are read."""
    times: Counter[str] = Counter()
    found: dict[str, _Activity] = {}
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            times[inner.id] += 1
        if isinstance(inner, ast.Assign | ast.AnnAssign) and inner.value is not None:
            targets = inner.targets if isinstance(inner, ast.Assign) else [inner.target]
            source = _source(inner.value, {}, known)
            if source is not None and len(targets) == 1 and isinstance(targets[0], ast.Name):
                found[targets[0].id] = source
    return {name: source for name, source in found.items() if times[name] == 1}


def _source(
    value: ast.expr, futures: dict[str, _Activity], known: dict[str, _Activity]
) -> _Activity | None:
    """Give the activity whose future an expression is, if that can be seen."""
    if isinstance(value, ast.Name):
        return futures.get(value.id)
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        return known.get(value.func.id)
    return None


def _unlike(call: ast.Call, target: _Activity) -> str:
    """Say what is wrong with the number and the names of the arguments of a call."""
    if any(isinstance(each, ast.Starred) for each in call.args):
        return ""
    names = [keyword.arg for keyword in call.keywords]
    if None in names:
        return ""
    if len(call.args) > len(target.positional) and not target.any_more:
        most = len(target.positional)
        ending = "s" * (most != 1)
        return f"{target.name}() takes {most} argument{ending} and is given {len(call.args)}"
    placed = {each.arg for each in target.positional[: len(call.args)]}
    for name in names:
        if name not in target.named and not target.any_named:
            return f"{target.name}() has no parameter {name}"
        if name in placed:
            return f"{target.name}() is given {name} twice"
    missing = [name for name in target.needed if name not in placed and name not in names]
    return f"{target.name}() is not given {', '.join(missing)}" if missing else ""


def _misfits(
    value: ast.expr,
    target: _Activity,
    parameter: ast.arg,
    futures: dict[str, _Activity],
    known: dict[str, _Activity],
) -> Iterator[str]:
    """Say what is wrong with an argument: itself, or what is in a list of it."""
    takes, inner = _plain(parameter.annotation), _inner(parameter.annotation)
    head = f"{target.name}({parameter.arg}: {{}}) is given "
    if takes is not None:
        given = _given(value, takes, futures, known)
        yield given and head.format(takes.__name__) + given
    if takes is list and inner is not None:
        items = value.elts if isinstance(value, ast.List) else []
        items = [value.elt] if isinstance(value, ast.ListComp) else items
        for item in items:
            given = _given(item, inner, futures, known)
            yield given and head.format(f"list[{inner.__name__}]") + f"a list with {given}"


def _given(
    value: ast.expr, takes: type, futures: dict[str, _Activity], known: dict[str, _Activity]
) -> str:
    """Say what a value is, if a class excludes it; "" otherwise."""
    source = _source(value, futures, known)
    if source is not None:
        gives = source.gives
        misfit = gives is not None and excludes(gives, takes)
        return f"the result of {source.name}() -> {gives.__name__}" if gives and misfit else ""
    if isinstance(value, ast.Constant) and value.value not in {None, ...}:
        return f"{value.value!r:.40}" if excludes(type(value.value), takes) else ""
    return ""


def _inner(annotation: ast.expr | None) -> type | None:
    """Give the class of what is in a list, by its annotation."""
    return _plain(annotation.slice) if isinstance(annotation, ast.Subscript) else None
