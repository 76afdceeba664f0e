"""The one line that a definition prints, and how values are written in it."""

from __future__ import annotations

import builtins
import difflib
import inspect
import io
import os
import reprlib
import sys
from collections.abc import Mapping
from types import CodeType
from typing import Any

from nbflow.core.activity import Activity
from nbflow.core.definition import is_workflow_class
from nbflow.core.fingerprint import global_names
from nbflow.core.workflow import WorkflowFunction
from nbflow.viz.wording import clean, cut

_GREY, _PLAIN = "\x1b[90m", "\x1b[0m"
_SHOWN = 8
_VALUE = 40


def say(text: str) -> None:
    """Print a line, in grey where somebody may see that: in a notebook and on a terminal."""
    sys.stdout.write(f"{_GREY}{text}{_PLAIN}\n" if _in_colour() else f"{text}\n")


def _in_colour() -> bool:
    # A kernel's stream is no such wrapper and no terminal, but what it is shown in has colours.
    plain = isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.isatty()
    return not plain and not os.environ.get("NO_COLOR")


def one_line(error: BaseException) -> str:
    """Write an error on one line."""
    text = " ".join(str(error).split())
    kind = type(error)
    own = kind.__module__.startswith("nbflow.")
    return text if own and text else f"{kind.__name__}: {text}" if text else kind.__name__


def describe(
    made: Activity[..., Any] | WorkflowFunction[..., Any], space: Mapping[str, Any]
) -> str:
    """Write a definition: its signature, what it calls and what it takes from the notebook."""
    code = getattr(inspect.unwrap(made.fn), "__code__", None)
    names = global_names(code) if isinstance(code, CodeType) else []
    called = [n for n in names if _callable(space.get(n))]
    taken = [n for n in names if n in space and n not in called and not hasattr(builtins, n)]
    unknown = [n for n in names if n not in space and not hasattr(builtins, n)]
    unknown = [n for n in unknown if n not in {made.name, made.fn.__name__}]
    parts = [f"{made.name}{signature(made.signature)}"]
    parts += _listed("uses ", called) + _listed("captures: ", taken)
    parts += _listed("not defined yet: ", [_perhaps(name, space) for name in unknown])
    return " · ".join(parts)


def _perhaps(name: str, space: Mapping[str, Any]) -> str:
    """Write a name that there is not, with the one that was perhaps meant."""
    known = [other for other in space if not other.startswith("_")]
    near = difflib.get_close_matches(name, known, 1, 0.8)
    return f"{name} (did you mean {near[0]}?)" if near else name


def signature(found: inspect.Signature) -> str:
    """Write a signature, its annotations by their short names and its defaults cut."""
    empty = found.empty
    parameters = [
        p.replace(
            annotation=p.annotation if p.annotation is empty else _Text(_kind(p.annotation)),
            default=p.default if p.default is empty else _Text(value(p.default)),
        )
        for p in found.parameters.values()
    ]
    returns = found.return_annotation
    shown = inspect.Signature(
        parameters, return_annotation=returns if returns is empty else _Text(_kind(returns))
    )
    return str(shown)


def value(thing: object) -> str:
    """Write a value on one line: plain data as in code, cut short; anything else by its class."""
    return cut(clean(_SHORT.repr(thing)), _VALUE)


class _Short(reprlib.Repr):
    """Writes built-in values only: a user's own ``__repr__`` may take long, or fail."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = 12
        self.maxstring = self.maxother = _VALUE

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        """Keep the order of the keys."""
        shown = list(x.items())[: self.maxdict] if level > 0 else []
        parts = [f"{self.repr1(k, level - 1)}: {self.repr1(v, level - 1)}" for k, v in shown]
        return "{" + ", ".join(parts + ["..."] * (len(x) > len(shown))) + "}"

    def repr_instance(self, x: Any, level: int) -> str:  # noqa: ARG002 - the base's signature
        """Write what has no method of its own here."""
        kind = type(x)
        if kind.__module__ == "builtins" and not callable(x):
            return repr(x)
        return f"<{getattr(x, '__name__', kind.__name__)}>"


_SHORT = _Short()


def _callable(thing: object) -> bool:
    return isinstance(thing, Activity | WorkflowFunction) or is_workflow_class(thing)


def _listed(title: str, names: list[str]) -> list[str]:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return [title + ", ".join(names[:_SHOWN]) + more] if names else []


def _kind(annotation: Any) -> str:
    if isinstance(annotation, str):
        return annotation
    if isinstance(annotation, type) and not hasattr(annotation, "__origin__"):
        return annotation.__name__
    return inspect.formatannotation(annotation)


class _Text(str):
    """A text that a signature shows as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)
