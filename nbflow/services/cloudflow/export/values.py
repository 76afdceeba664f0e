"""Arguments and results in flows: plain data, with results of other calls anywhere in them."""

from __future__ import annotations

import json
from typing import Any

from nbflow.core.errors import DefinitionError
from nbflow.services.cloudflow.export.trace import Of


def references(value: Any) -> list[str]:
    """Give the calls whose results stand in a value."""
    if isinstance(value, Of):
        return [value.call]
    if isinstance(value, list | tuple):
        return [found for item in value for found in references(item)]
    if isinstance(value, dict):
        return [found for item in value.values() for found in references(item)]
    return []


def _plain(value: Any, what: str) -> Any:
    """See that a value is what JSON has, and the same afterwards."""
    try:
        text = json.dumps(value, allow_nan=False)
        if json.loads(text) == value:
            return value
    except (TypeError, ValueError, RecursionError):
        pass
    raise DefinitionError(f"{what} has a {type(value).__name__}; a flow carries what JSON has only")


def argument(value: Any, keys: dict[str, str], call: str) -> dict[str, Any]:
    """Write an argument so that results may stand anywhere in it; `handler` reads it."""
    if isinstance(value, Of):
        return {"value.$": f"$Global.{keys[value.call]}"}
    if not references(value):
        if isinstance(value, tuple):
            return {"tuple": [argument(item, keys, call) for item in value]}
        if not _holds(value, tuple):
            return {"value": _literal(_plain(value, f"an argument of {call}"), call)}
    if isinstance(value, dict):
        _plain(list(value), f"an argument of {call}")
        return {
            "dict": [[argument(k, keys, call), argument(v, keys, call)] for k, v in value.items()]
        }
    kind = "tuple" if isinstance(value, tuple) else "list"
    return {kind: [argument(item, keys, call) for item in value]}


def _holds(value: Any, kind: type) -> bool:
    if isinstance(value, kind):
        return True
    if isinstance(value, list):
        return any(_holds(item, kind) for item in value)
    return isinstance(value, dict) and any(_holds(item, kind) for item in value.values())


def _literal(value: Any, what: str) -> Any:
    """See that no key of a value would be taken for an expression."""
    if isinstance(value, list):
        return [_literal(item, what) for item in value]
    if isinstance(value, dict):
        for name in value:
            if not isinstance(name, str) or name.endswith(".$"):
                raise DefinitionError(f"{what} has the key {name!r:.80}, which a flow cannot have")
        return {name: _literal(item, what) for name, item in value.items()}
    return value


def named(made: Any) -> dict[str, Any]:
    """Write what `template` gives as the flow's output."""
    return {"result.$": made[1]} if isinstance(made, tuple) else {"result": made}


def template(value: Any, keys: dict[str, str], what: str) -> Any:
    """Write what is given: a template, or an expression as a pair with its text."""
    if isinstance(value, Of):
        return "expression", f"$Global.{keys[value.call]}"
    if isinstance(value, dict):
        _literal(dict.fromkeys(value), what)
        found = {name: template(item, keys, what) for name, item in value.items()}
        return {
            f"{name}.$" if isinstance(item, tuple) else name: item[1]
            if isinstance(item, tuple)
            else item
            for name, item in found.items()
        }
    if isinstance(value, list | tuple) and references(value):
        items = [template(item, keys, what) for item in value]
        texts = [item[1] if isinstance(item, tuple) else _text(item, what) for item in items]
        return "expression", f"toArray({', '.join(texts)})"
    return _literal(_plain(value, what), what)


def _text(item: Any, what: str) -> str:
    if isinstance(item, str) and "`" in item:
        raise DefinitionError(f"{what} has a list of results with a text with a backquote in it")
    if isinstance(item, str):
        return f"`{item}`"
    if item is None or isinstance(item, bool | int | float):
        return json.dumps(item)
    raise DefinitionError(f"{what} has a list of results with a {type(item).__name__} in it")
