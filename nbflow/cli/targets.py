"""Finds the workflow that a command names: in a module, in a file or in a notebook."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from nbflow.cli.faults import UNKNOWN, USAGE, CommandError, unknown
from nbflow.core.definition import is_workflow_class
from nbflow.core.workflow import Workflow, WorkflowFunction

HELP: Final = "module:workflow, file.py:workflow or notebook.ipynb:workflow"
Found = WorkflowFunction[..., Any] | type[Workflow]


def find(target: str) -> Found:
    """Give the workflow that a command names.

    The code of the module, of the file, or of those cells of the notebook that define things, is
    run for it.

    Args:
        target: ``module:workflow``, ``file.py:workflow`` or ``notebook.ipynb:workflow``. Without
            the name it is the only workflow there.

    Raises:
        CommandError: There is none, or its code cannot be run.
    """
    where, _, name = target.rpartition(":") if _names_both(target) else (target, "", "")
    if not where:
        raise CommandError(f"{target!r:.80} names no workflow: write {HELP}", USAGE)
    # What the code prints while it is loaded is not the result: that alone is standard output.
    with contextlib.redirect_stdout(sys.stderr):
        module = load(where, name)
    there = workflows(module)
    if name:
        return _named(there, name, where)
    if len(there) == 1:
        return next(iter(there.values()))
    what = f"one of {', '.join(there)}" if there else "none was found"
    raise CommandError(f"which workflow of {where}? ({what}) Write {where}:NAME", USAGE)


def _names_both(target: str) -> bool:
    tail = target.rpartition(":")[2]
    return ":" in target and "/" not in tail and "\\" not in tail


def _named(there: dict[str, Found], name: str, where: str) -> Found:
    if name in there:
        return there[name]
    by_name = {found.name: found for found in there.values() if getattr(found, "name", None)}
    if name in by_name:
        return by_name[name]
    raise unknown(f"workflow in {where} called", name, [*there, *by_name])


def workflows(module: ModuleType) -> dict[str, Found]:
    """Give the workflows that a module has, by the names that it has for them."""
    found: dict[str, Found] = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, WorkflowFunction) or is_workflow_class(value)
    }
    own = {n: w for n, w in found.items() if _module_of(w) == module.__name__}
    return own or found


def _module_of(found: Found) -> str:
    code = found if isinstance(found, type) else found.fn
    return str(getattr(code, "__module__", ""))


def load(where: str, name: str = "") -> ModuleType:
    """Run the code of a module or a file, of a notebook as far as a name needs it.

    Raises:
        CommandError: There is none, or its code raises.
    """
    path = Path(where)
    try:
        if path.suffix == ".ipynb":
            from nbflow.cli.notebooks import notebook_module  # noqa: PLC0415 - needs IPython

            return notebook_module(_existing(path), name)
        if path.suffix == ".py" or path.is_file():
            return _file_module(_existing(path))
        return _imported(where)
    except CommandError:
        raise
    except Exception as error:
        raise CommandError(_story(where, error), UNKNOWN) from error


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise CommandError(f"there is no file {path}", UNKNOWN)
    return path.absolute()


def _imported(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise
        hint = f" Is it the file {name}.py that you mean?" if Path(f"{name}.py").exists() else ""
        raise CommandError(f"there is no module {error.name!r:.80}.{hint}", UNKNOWN) from None


def _file_module(path: Path) -> ModuleType:
    name = path.stem if path.stem.isidentifier() else "workflow_file"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise CommandError(f"{path} is no Python file", USAGE)
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        # A script is no module that others could import: so its code is kept with the run, and
        # a resumption in a week goes on with it, whatever the file says then.
        sys.modules.pop(name)
        if before is not None:
            sys.modules[name] = before
    return module


def _story(where: str, error: Exception) -> str:
    """Say what went wrong, and at which line of the user's."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: {error.msg}"
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    at = f"{last.tb_frame.f_code.co_filename}, line {last.tb_lineno}: " if last else ""
    return f"{where} cannot be loaded: {at}{type(error).__name__}: {error}"
