"""The names that a piece of source binds, and what they are known to hold."""

from __future__ import annotations

import ast
from collections.abc import Callable


def bind_arguments(args: ast.arguments, scope: dict[str, str]) -> None:
    """Note the names of a function's parameters, which may hold anything."""
    for group in (args.posonlyargs, args.args, args.kwonlyargs, [args.vararg, args.kwarg]):
        scope.update((arg.arg, "") for arg in group if arg is not None)


def bind(node: ast.AST, scope: dict[str, str], kind: Callable[[ast.expr], str]) -> None:
    """Note the names that a statement binds, but for those that are local to functions in it."""
    match node:
        case ast.Import():
            for alias in node.names:
                top = alias.name.partition(".")[0]
                scope[alias.asname or top] = alias.name if alias.asname else top
            return
        case ast.ImportFrom():
            scope.update((a.asname or a.name, f"{node.module}.{a.name}") for a in node.names)
            return
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            scope[node.name] = ""
            return
        case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            return
        case ast.Assign(targets=[ast.Name(id=name)]) if name not in scope:
            scope[name] = kind(node.value)
            return
        case ast.Name(ctx=ast.Store()):
            scope[node.id] = ""
        case ast.ExceptHandler(name=str(name)):
            scope[name] = ""
    for child in ast.iter_child_nodes(node):
        bind(child, scope, kind)
