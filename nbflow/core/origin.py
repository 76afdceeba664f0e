"""Where code is from: the user's own, or a package that is installed."""

from __future__ import annotations

import ast
import importlib.util
import site
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

from nbflow.core.fingerprint import digest, normal_text, source_form
from nbflow.core.keys import Unkeyable
from nbflow.core.parsing import parsed

_SELF: Final = __name__.partition(".")[0]
_INSTALLED: Final = frozenset({"site-packages", "dist-packages"})


def is_own(module: str) -> bool:
    """Whether a module is the user's own: a notebook, a script, a file that is not installed."""
    top = module.partition(".")[0]
    if module == "__main__":
        return True
    if top in sys.stdlib_module_names or top == _SELF:
        return False
    file = _file(module)
    return file is None or not _installed(file)


def _file(module: str) -> str | None:
    """Give the file of a module, whether or not it was imported; None if it has none."""
    found = sys.modules.get(module)
    if found is not None:
        paths = getattr(found, "__path__", None)
        return getattr(found, "__file__", None) or next(iter(paths or ()), None)
    try:
        spec = importlib.util.find_spec(module.partition(".")[0])
    except (ImportError, ValueError):
        return None
    return spec.origin if spec is not None else None


@cache
def _installed(file: str) -> bool:
    path = Path(file)
    return not _INSTALLED.isdisjoint(path.parts) or any(map(path.is_relative_to, _places()))


@cache
def _places() -> tuple[Path, ...]:
    """Give the directories that installers write to."""
    paths = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    return tuple(Path(p) for p in {*paths, *site.getsitepackages()} if p)


def package(module: str) -> str:
    """Give the name under which a module's version counts."""
    top = module.partition(".")[0]
    return "python" if top in sys.stdlib_module_names else top


@cache
def version(name: str) -> str:
    """Give the version of a package, ``?`` where it tells none."""
    if name == "python":
        return f"{sys.version_info.major}.{sys.version_info.minor}"
    import importlib.metadata  # noqa: PLC0415 - takes as long to load as the rest of the core

    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
    told = getattr(sys.modules.get(name), "__version__", None)
    if type(told) is str:
        return told
    owners = importlib.metadata.packages_distributions().get(name, [])
    return ", ".join(f"{o} {importlib.metadata.version(o)}" for o in sorted(set(owners))) or "?"


def module_digest(name: str) -> str:
    """Give the digest of a module of the user's own, and of those that it imports.

    Raises:
        Unkeyable: Its file cannot be read, or is not what was imported.
    """
    found: dict[str, str] = {}
    todo = [name]
    while todo:
        current = todo.pop()
        if current in found:
            continue
        file = _file(current)
        if file is None:
            found[current] = "missing"
            continue
        found[current], needs = _read(current, Path(file))
        todo.extend(need for need in needs if is_own(need))
    return digest(*[text for key in sorted(found) for text in (key, found[key])])


def _read(name: str, path: Path) -> tuple[str, tuple[str, ...]]:
    try:
        data = path.read_bytes() if path.is_file() else b""
    except OSError as error:
        raise Unkeyable(f"its file cannot be read ({error.strerror})", f"module {name}") from None
    if path.suffix != ".py":
        return digest("file", data.hex()), ()
    module = sys.modules.get(name)
    if module is not None and not _fresh(module):
        reason = f"{path.name} was edited after it was imported: reload it, or restart the kernel"
        raise Unkeyable(reason, f"module {name}")
    home = name if path.name == "__init__.py" else name.rpartition(".")[0]
    return _summed(data.decode("utf-8", "replace"), home)


@lru_cache(maxsize=256)
def _summed(source: str, home: str) -> tuple[str, tuple[str, ...]]:
    """Give the digest of a module's source, and the modules that it imports."""
    try:
        tree = parsed(source)
        return normal_text(source), tuple(_imports(tree, home))
    except (SyntaxError, ValueError, RecursionError):
        return digest("text", source), ()


def _imports(tree: ast.Module, home: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            name = "." * node.level + (node.module or "")
            try:
                full = importlib.util.resolve_name(name, home) if node.level else name
            except ImportError:
                continue
            yield full
            yield from (f"{full}.{a.name}" for a in node.names if f"{full}.{a.name}" in sys.modules)


def _fresh(module: ModuleType) -> bool:
    """Whether the functions of a module are those of its file as it is now."""
    codes = [code for found in vars(module).values() for code in _codes(found, module)]
    return all(source_form(code) is not None for code in codes)


def _codes(found: Any, module: ModuleType) -> Iterator[CodeType]:
    for candidate in (found, *vars(found).values()) if isinstance(found, type) else (found,):
        if isinstance(candidate, FunctionType) and candidate.__module__ == module.__name__:
            code = candidate.__code__
            if code.co_filename == module.__file__ and code.co_name != "<lambda>":
                yield code
