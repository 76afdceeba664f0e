"""Calls of a workflow's text that hand on what does not fit, found without running anything."""

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
    """What the text of an activity says of its types."""

    name: str
    positional: tuple[ast.arg, ...]
    named: dict[str, ast.arg]
    gives: type | None


def unfit(made: Module) -> list[Finding]:
    """Find calls of activities that are given a result which their annotations exclude.

    Only plain classes of Python's own are compared, as when workflow code runs, and only futures
    that are handed on at once or by a name that is assigned once.

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
    return _Activity(node.name, positional, named, _plain(node.returns))


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
        given = [*zip(target.positional, call.args, strict=False)]
        given += [(target.named[k.arg], k.value) for k in call.keywords if k.arg in target.named]
        for parameter, value in given:
            source = _source(value, futures, known)
            text = _misfit(source, target, parameter)
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


def _misfit(source: _Activity | None, target: _Activity, parameter: ast.arg) -> str:
    takes = _plain(parameter.annotation)
    if source is None or source.gives is None or takes is None:
        return ""
    if not excludes(source.gives, takes):
        return ""
    return (
        f"{target.name}({parameter.arg}: {takes.__name__}) is given the result of "
        f"{source.name}() -> {source.gives.__name__}"
    )
