"""What a workflow returns, for type checkers: where that is futures, a run gives their values.

``def total(...) -> int: return add(1, 2)`` says what whoever waits for the run gets, and a checker
objects that ``add`` gives a ``Future[int]``. So a module has ``typing.cast("int", add(1, 2))``,
which does nothing when it runs. It is written only where the annotations of both say the same: what
does not fit is left for the checker to find.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from nbflow.core.parsing import parsed, parsed_expression
from nbflow.magics.body import own_scope
from nbflow.magics.source.slicing import Part

_LISTS: Final = frozenset({"list", "List", "Sequence", "Iterable", "Collection"})
_DICTS: Final = frozenset({"dict", "Dict", "Mapping"})


def with_values(kept: Sequence[Part]) -> list[Part]:
    """Give the parts of a module with the results of workflows as their annotations have them.

    Args:
        kept: The parts; places in the cells stay as they are.
    """
    given = {name: gives for part in kept for name, gives in _calls(part)}
    return [_valued(part, given) for part in kept]


def _function(part: Part, *kinds: str) -> ast.FunctionDef | None:
    """Give the function that a part makes an activity or a workflow of, if it does."""
    body = parsed(part.text).body
    if len(body) != 1 or not isinstance(body[0], ast.FunctionDef | ast.AsyncFunctionDef):
        return None
    found = body[0]
    heads = {
        ast.unparse(each).partition("(")[0].rpartition(".")[2] for each in found.decorator_list
    }
    if not heads & set(kinds) or (
        isinstance(found, ast.AsyncFunctionDef) and kinds == ("workflow",)
    ):
        return None
    return found  # type: ignore[return-value]  # of either kind: only its head is looked at


def _calls(part: Part) -> Iterator[tuple[str, str]]:
    """Give what a call of this activity or workflow comes to, as an annotation."""
    found = _function(part, "activity", "workflow")
    if found is not None and found.returns is not None:
        said = _annotation(found.returns)
        inner = _inside(said, frozenset({"Future"}))
        yield found.name, ast.unparse(said if inner is None else inner[0])


def _annotation(found: ast.expr) -> ast.expr:
    """Give an annotation, which may stand in quotes."""
    if isinstance(found, ast.Constant) and isinstance(found.value, str):
        try:
            return parsed_expression(found.value).body
        except SyntaxError:
            return found
    return found


def _inside(annotation: ast.expr, names: frozenset[str]) -> list[ast.expr] | None:
    """Give what stands in the brackets of an annotation of one of these names; else None."""
    if not isinstance(annotation, ast.Subscript):
        return None
    if ast.unparse(annotation.value).rpartition(".")[2] not in names:
        return None
    inner = annotation.slice
    return list(inner.elts) if isinstance(inner, ast.Tuple) else [inner]


def _valued(part: Part, given: Mapping[str, str]) -> Part:
    found = _function(part, "workflow")
    if found is None or found.returns is None:
        return part
    said = _annotation(found.returns)
    names = _assigned(found)
    returned = [
        node.value
        for node in own_scope(ast.Module(found.body, []))
        if isinstance(node, ast.Return) and node.value is not None
    ]
    text = part.text
    for value in sorted(returned, key=lambda each: (each.lineno, each.col_offset), reverse=True):
        if _fits(said, value, names, given):
            text = _cast(text, value, ast.unparse(said))
    if text == part.text:
        return part
    needs = part.needs | {"typing"}
    return replace(part, plain=text, lines=part.lines, needs=needs)


def _assigned(function: ast.FunctionDef) -> dict[str, ast.expr]:
    """Give what the names stand for that are given a value once, and are never changed."""
    times: Counter[str] = Counter()
    found: dict[str, ast.expr] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            times[node.id] += 1
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            (target,) = node.targets
            if isinstance(target, ast.Name):
                found[target.id] = node.value
    return {name: value for name, value in found.items() if times[name] == 1}


def _fits(
    said: ast.expr, value: ast.expr, names: Mapping[str, ast.expr], given: Mapping[str, str]
) -> bool:
    """Whether a value is of futures, and their values are what an annotation says."""
    match value:
        case ast.Name(id=name) if name in names:
            return _fits(said, names[name], {k: v for k, v in names.items() if k != name}, given)
        case ast.Call(func=ast.Name(id=name)) if name in given:
            return ast.unparse(said) == given[name]
        case ast.List() | ast.ListComp():
            inner = _inside(said, _LISTS) or []
            elements = value.elts if isinstance(value, ast.List) else [value.elt]
        case ast.Dict() | ast.DictComp():
            inner = (_inside(said, _DICTS) or [])[1:]
            elements = value.values if isinstance(value, ast.Dict) else [value.value]
        case ast.Tuple(elts=elements):
            each = _inside(said, frozenset({"tuple", "Tuple"})) or []
            return len(each) == len(elements) > 0 and all(
                _fits(one, element, names, given)
                for one, element in zip(each, elements, strict=True)
            )
        case _:
            return False
    return bool(inner and elements) and all(
        _fits(inner[0], element, names, given) for element in elements
    )


def _cast(text: str, value: ast.expr, said: str) -> str:
    """Put a cast around an expression, line by line as it stands."""
    lines = text.split("\n")
    inner = parsed_expression(f"cast({ast.get_source_segment(text, value)})").body
    bare = isinstance(inner, ast.Call) and len(inner.args) > 1  # a tuple without brackets
    start, end = ("(", "))") if bare else ("", ")")
    # Columns count bytes, and the end is changed first: what stands before it stays in its place.
    quoted = said.replace('"', "'")
    for number, column, more in (
        (value.end_lineno or value.lineno, value.end_col_offset or 0, end),
        (value.lineno, value.col_offset, f'typing.cast("{quoted}", {start}'),
    ):
        line = lines[number - 1].encode()
        lines[number - 1] = (line[:column] + more.encode() + line[column:]).decode()
    return "\n".join(lines)
