"""YAML text to plain data and back, safely, with the line that each part came from.

Only what JSON can hold is made: no tags, no dates, no code. Of the words that YAML 1.1 takes for
booleans only ``true`` and ``false`` are, since the service itself reads the others as text. A text
that is small and grows large by its aliases is refused, as is one that is nested too deep.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from nbflow.services.cloudflow.errors import FdlError

MAX_BYTES: Final = 1024 * 1024
"""The largest definition, 1,024 KiB."""
MAX_PARTS: Final = 200_000
"""How many values a text may have, aliases written out."""
MAX_DEPTH: Final = 100
"""How deep values may stand in one another."""

Where = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # published without types
    """Reads the types of JSON, and nothing else."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


for _tag, _pattern, _first in (
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)\Z", "tTfF"),
    ("null", r"(?:~|null|Null|NULL|)\Z", ["~", "n", "N", ""]),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)\Z", "-+0123456789"),
    ("float", r"[-+]?(?:[0-9]+\.[0-9]*|\.?[0-9]+)(?:[eE][-+]?[0-9]+)?\Z", "-+.0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))

_PLAIN: Final[dict[str, Callable[[str], Any]]] = {
    "tag:yaml.org,2002:str": str,
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": float,
    "tag:yaml.org,2002:bool": lambda text: text.lower() == "true",
    "tag:yaml.org,2002:null": lambda _: None,
}


@dataclass(frozen=True, slots=True)
class Source:
    """A value of a text, and where in the text it stands.

    Attributes:
        value: Plain data: what JSON can hold.
        lines: The line, from 1, of each part by the way to it.
        where: The way from the whole text to this value.
    """

    value: Any
    lines: dict[Where, int] = field(default_factory=dict, repr=False)
    where: Where = ()

    @property
    def line(self) -> int:
        """The line it begins on, 0 if it was not read from a text."""
        return self.lines.get(self.where, 0)

    def part(self, key: str | int) -> Source:
        """Give one of its parts."""
        return Source(self.value[key], self.lines, (*self.where, key))

    def fault(self, said: str) -> FdlError:
        """Make the error that says what is wrong here."""
        way = "".join(f"[{k}]" if isinstance(k, int) else f".{k}" for k in self.where)
        return FdlError(said, self.line, way.removeprefix("."))


def read(text: str) -> Source:
    """Read YAML (or JSON, which is YAML) into plain data.

    Args:
        text: At most `MAX_BYTES` of UTF-8.

    Raises:
        FdlError: It is no YAML, or has what JSON cannot hold; the message has the line.
    """
    size = len(text.encode("utf-8", "replace"))
    if size > MAX_BYTES:
        raise FdlError(f"the definition has {size} bytes; {MAX_BYTES} are allowed")
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise FdlError(f"this is no YAML: {error.problem}", mark.line + 1 if mark else 0) from None
    except yaml.YAMLError as error:
        raise FdlError(f"this is no YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise FdlError(f"values are nested deeper than {MAX_DEPTH}") from None
    finally:
        loader.dispose()
    if root is None:
        raise FdlError("the definition is empty")
    reader = _Reader()
    return Source(reader.plain(root, ()), reader.lines)


def write(data: Any) -> str:
    """Write plain data as YAML that `read` reads as the same."""
    return str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100))


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]  # published without types
    """Writes no aliases, which not every reader of YAML takes."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the base class's signature
        return True


class _Reader:
    def __init__(self) -> None:
        self.lines: dict[Where, int] = {}

    def plain(self, node: yaml.Node, where: Where) -> Any:
        line = node.start_mark.line + 1
        self.lines[where] = line
        if len(self.lines) > MAX_PARTS:
            raise FdlError(f"the text has more than {MAX_PARTS} values, aliases written out", line)
        if len(where) > MAX_DEPTH:
            raise FdlError(f"values are nested deeper than {MAX_DEPTH}", line)
        if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            return [self.plain(item, (*where, n)) for n, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
            return self._mapping(node, where)
        if isinstance(node, yaml.ScalarNode) and node.tag in _PLAIN:
            return self._scalar(node, line)
        raise FdlError(f"the tag {node.tag} is not allowed: write plain values", line)

    def _mapping(self, node: yaml.MappingNode, where: Where) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise FdlError("a key is text, not a list or an object", line)
            if key.value in found:
                raise FdlError(f"the key {key.value!r} stands twice in one object", line)
            found[key.value] = self.plain(value, (*where, key.value))
            self.lines[*where, key.value] = line
        return found

    def _scalar(self, node: yaml.ScalarNode, line: int) -> Any:
        try:
            value = _PLAIN[node.tag](node.value)
        except ValueError:
            raise FdlError(f"{node.value[:80]!r} cannot be read as it is tagged", line) from None
        if isinstance(value, float) and value in {float("inf"), float("-inf")}:
            raise FdlError(f"the number {node.value[:80]} is too large", line)
        return value
