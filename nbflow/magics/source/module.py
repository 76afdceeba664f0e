"""A workflow of cells as a plain module: what it needs, and nothing else."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from nbflow.core.errors import NbflowError
from nbflow.core.parsing import parsed
from nbflow.magics.source.cells import SHELL
from nbflow.magics.source.slicing import STAR, Part, reached
from nbflow.magics.source.values import with_values

_OF_IPYTHON: Final = frozenset({SHELL, "In", "Out", "exit", "quit"})
_DISPLAY: Final = "display"


class NotExportable(NbflowError):
    """What a workflow needs has no form outside of a notebook."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a module, and where it is from.

    Attributes:
        text: The line.
        cell: The number of the cell, 0 for what no cell has.
        line: The line in the cell, from 1; 0 for what no cell has.
    """

    text: str
    cell: int = 0
    line: int = 0


@dataclass(frozen=True, slots=True)
class Module:
    """A module made of cells.

    Attributes:
        lines: Its lines.
        missing: Names that it reads and no cell defines, with the cell and line that read them.
        names: The workflows and activities that it is for.
    """

    lines: tuple[Line, ...]
    missing: tuple[tuple[str, int, int], ...]
    names: tuple[str, ...]

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(f"{line.text}\n" for line in self.lines)

    def place(self, line: int) -> tuple[int, int]:
        """Give cell and line of a line of the module, both 0 for one that no cell has.

        Args:
            line: From 1.
        """
        if not 0 < line <= len(self.lines):
            return 0, 0
        found = self.lines[line - 1]
        return found.cell, found.line


def module(found: Sequence[Part], wanted: Iterable[str], *, title: str, main: str = "") -> Module:
    """Make a module of the parts of cells that some names need.

    Args:
        found: All parts, in the order in which the cells were run.
        wanted: The names.
        title: The first line of its docstring.
        main: The workflow that is run where the module is run as a program; "" for none.

    Raises:
        NotExportable: Something of that has a meaning in a notebook only.

    Example:
        >>> print(module(cells, ["revenue"], title="Revenue.").text)
    """
    wanted = tuple(wanted)
    kept = _latest(reached(found, wanted))
    if not any("typing" in part.binds and not _is_typing(part) for part in kept):
        kept = with_values(kept)
    needs = frozenset(wanted).union(*(part.needs | part.changes for part in kept))
    _refuse(kept)
    imports, rest = _hoisted(kept, needs)
    lines = [Line(f'"""{title}"""'), Line("")]
    casts = any("typing.cast(" in part.text for part in kept)
    lines += _imports(imports, needs, casts=casts)
    for part in rest:
        lines += [Line(""), *_body(part)]
    if main:
        lines += _main(main)
    bound = frozenset().union(*(part.binds for part in kept)) | {"nbflow", _DISPLAY}
    bound |= {"typing"} if casts else set()
    missing = () if STAR in bound else tuple(_missing(kept, bound))
    return Module(tuple(lines), missing, wanted)


def _refuse(kept: Iterable[Part]) -> None:
    for part in kept:
        for name in sorted(part.needs & _OF_IPYTHON):
            what = "shell commands and magics" if name == SHELL else name
            message = (
                f"cell {part.cell}, line {part.line} uses {what}, which only a notebook has: write "
                "it in plain Python, such as subprocess.run, or nbflow.execute for a program"
            )
            raise NotExportable(message)


def _latest(kept: Sequence[Part]) -> list[Part]:
    """Leave out definitions that were replaced by later ones before anything had used them."""
    return [
        part
        for number, part in enumerate(kept)
        if not _defines(part) or not _replaced(part, kept[number + 1 :])
    ]


def _replaced(part: Part, later: Iterable[Part]) -> bool:
    for other in later:
        if part.binds & other.early or not _defines(other):
            return False
        if part.binds <= other.binds:
            return True
    return False


def _statement(part: Part) -> ast.stmt | None:
    body = parsed(part.text).body
    return body[0] if len(body) == 1 else None


def _defines(part: Part) -> bool:
    """Whether all that it does is to bind its names."""
    found = _statement(part)
    if isinstance(found, ast.Assign | ast.AnnAssign):
        return found.value is not None and _literal(found.value)
    return isinstance(
        found,
        ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom,
    )


def _literal(value: ast.expr) -> bool:
    try:
        ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _hoisted(kept: Sequence[Part], needs: frozenset[str]) -> tuple[list[Part], list[Part]]:
    """Tell imports that may stand at the top from all else."""
    counts: dict[str, int] = {}
    for part in kept:
        for name in part.binds:
            counts[name] = counts.get(name, 0) + 1
    imports: list[Part] = []
    rest: list[Part] = []
    prepared = False
    for part in kept:
        once = all(counts[name] == 1 for name in part.binds & needs)
        if isinstance(_statement(part), ast.Import | ast.ImportFrom) and (
            _is_future(part) or (not prepared and (once or _same(part, kept)))
        ):
            imports.append(part)
        else:
            prepared = prepared or bool(part.changes & {"sys", "os"})
            rest.append(part)
    return imports, rest


def _same(part: Part, kept: Iterable[Part]) -> bool:
    """Whether whatever else binds the names of an import is that very import."""
    form = ast.dump(parsed(part.source))
    others = [other for other in kept if other.binds & part.binds]
    return all(ast.dump(parsed(other.text)) == form for other in others)


def _is_typing(part: Part) -> bool:
    found = _statement(part)
    return isinstance(found, ast.Import) and all(each.asname is None for each in found.names)


def _is_future(part: Part) -> bool:
    found = _statement(part)
    return isinstance(found, ast.ImportFrom) and found.module == "__future__"


def _imports(imports: Iterable[Part], needs: frozenset[str], *, casts: bool) -> Iterator[Line]:
    """Give one line an import, without what is not needed, in the usual order."""
    always = ("nbflow", "typing") if casts else ("nbflow",)
    found = {f"import {name}": Line(f"import {name}") for name in always}
    for part in imports:
        for text in _needed(_statement(part), needs):
            found.setdefault(text, Line(text, part.cell, part.line))
    if _DISPLAY in needs and not any(text.endswith(_DISPLAY) for text in found):
        found[f"from IPython.display import {_DISPLAY}"] = Line(
            f"from IPython.display import {_DISPLAY}"
        )
    group = ""
    for text in sorted(found, key=_order):
        if group and _order(text)[0] != group:
            yield Line("")
        group = _order(text)[0]
        yield found[text]


def _needed(statement: ast.stmt | None, needs: frozenset[str]) -> Iterator[str]:
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            if (alias.asname or alias.name.partition(".")[0]) in needs:
                yield ast.unparse(ast.Import([alias]))
    elif isinstance(statement, ast.ImportFrom):
        always = statement.module == "__future__"
        aliases = [
            a for a in statement.names if always or a.name == STAR or (a.asname or a.name) in needs
        ]
        aliases.sort(key=lambda alias: alias.name)
        if aliases:
            yield ast.unparse(ast.ImportFrom(statement.module, aliases, statement.level))


def _order(text: str) -> tuple[str, bool, str]:
    words = text.split()
    top = words[1].partition(".")[0]
    if top == "__future__":
        return "0", False, text
    group = "1" if top in sys.stdlib_module_names else "2"
    return group, words[0] == "from", words[1].lower()


def _body(part: Part) -> Iterator[Line]:
    for text, line in zip(part.text.rstrip("\n").split("\n"), part.lines, strict=False):
        yield Line(text, part.cell, line)


def _main(workflow: str) -> list[Line]:
    text = (
        "",
        'if __name__ == "__main__":',
        "    import sys",
        "",
        "    from nbflow.cli.app import main",
        "",
        f'    sys.exit(main(["run", f"{{__file__}}:{workflow}", *sys.argv[1:]]))',
    )
    return [Line(line) for line in text]


def _missing(kept: Iterable[Part], bound: frozenset[str]) -> Iterator[tuple[str, int, int]]:
    told: set[str] = set()
    for part in kept:
        for name in sorted(part.needs - bound - told):
            told.add(name)
            yield name, part.cell, _line_of(part, name)


def _line_of(part: Part, name: str) -> int:
    """Give the line of a cell that reads a name."""
    for node in ast.walk(parsed(part.text)):
        if isinstance(node, ast.Name) and node.id == name:
            return part.lines[node.lineno - 1]
    return part.line


def placed(made: Module, formatted: str) -> Module:
    """Give a module with the text that a formatter made of it, its lines placed as before."""
    before, after = (list(_statements(parsed(text))) for text in (made.text, formatted))
    lines = [Line(text) for text in formatted.removesuffix("\n").split("\n")]
    if len(before) != len(after):
        return replace(made, lines=tuple(lines))
    for old, new in zip(before, after, strict=True):
        cell, line = made.place(old.lineno)
        first = min([new.lineno, *(d.lineno for d in getattr(new, "decorator_list", ()))])
        for number in range(first, (new.end_lineno or new.lineno) + 1):
            lines[number - 1] = replace(lines[number - 1], cell=cell, line=line)
    return replace(made, lines=tuple(lines))


def _statements(tree: ast.AST) -> Iterator[ast.stmt]:
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt):
            yield node
