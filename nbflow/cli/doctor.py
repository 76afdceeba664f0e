"""``nbflow doctor`` and ``nbflow info``: what is here, what is missing, and what to do about it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import click

from nbflow.__about__ import __version__
from nbflow.cli.faults import DONE, FAILED, leave
from nbflow.cli.options import Screen, common, screen, shown
from nbflow.cli.output import Column, Shown, Table
from nbflow.core.errors import NbflowError
from nbflow.running.caring import store_directory
from nbflow.running.config import MEMORY, settings

State = Literal["ok", "note", "bad"]
_MARKS: Final = {"ok": "✓", "note": "·", "bad": "✗"}
_SECRET: Final = re.compile(
    r"SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|PRIVATE|(ACCESS|API)_?KEY", re.IGNORECASE
)
_SHOWN: Final = re.compile(r"^(NBFLOW_|AWS_|ALIBABA_CLOUD_|JUPYTER|DASK_|LOG_LEVEL|NO_COLOR|SWF_)")
_PACKAGES: Final = (
    "ipykernel",
    "ipython",
    "jupyterlab",
    "notebook",
    "ipywidgets",
    "anywidget",
    "graphviz",
    "matplotlib",
    "pandas",
    "cloudpickle",
    "boto3",
    "alibabacloud_fnf20190315",
    "dask",
    "distributed",
    "ray",
)


_MEND_DOT: Final = "install Graphviz again, or take it from PATH: nbflow lays graphs out itself"


class Finding(NamedTuple):
    """What a check found.

    Attributes:
        check: What was looked at.
        state: ``ok``, ``note`` (something is not there that not everybody needs) or ``bad``.
        found: What there is.
        advice: What to do about it.
    """

    check: str
    state: State
    found: str
    advice: str = ""


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _python() -> Finding:
    return Finding("python", "ok", f"{platform.python_version()} at {sys.executable}")


def _own() -> Finding:
    foreign = importlib.metadata.packages_distributions().get("nbflow", [])
    others = sorted({name for name in foreign if name.lower() != "jupyter-nbflow"})
    if others:
        advice = "uninstall it: it has the same import name"
        return Finding("nbflow", "bad", f"{__version__}, and also {', '.join(others)}", advice)
    return Finding("nbflow", "ok", f"{__version__} at {Path(__file__).parents[1]}")


def _kernel() -> Finding:
    version = _version("ipykernel")
    if version is None:
        return Finding("kernel", "note", "no ipykernel here", "pip install ipykernel")
    major = int(version.split(".")[0])
    if major < 6:  # noqa: PLR2004 - the oldest that nbflow is tried on
        return Finding("kernel", "bad", f"ipykernel {version}", "pip install -U ipykernel")
    how = "subshells answer the panel" if major > 6 else "the panel is answered between cells"  # noqa: PLR2004
    return Finding("kernel", "ok", f"ipykernel {version}: {how} while a cell runs")


def _front() -> Finding:
    found = [f"{name} {_version(name)}" for name in ("jupyterlab", "notebook") if _version(name)]
    widgets = [f"{name} {_version(name)}" for name in ("ipywidgets", "anywidget") if _version(name)]
    if len(widgets) < 2:  # noqa: PLR2004 - it needs both
        advice = "pip install ipywidgets anywidget"
        return Finding("panel", "bad", "ipywidgets or anywidget is missing", advice)
    if not found:
        advice = "the front end may be elsewhere; it needs ipywidgets 8 in its own environment"
        return Finding("panel", "note", ", ".join(widgets), advice)
    return Finding("panel", "ok", ", ".join([*found, *widgets]))


def _script() -> Finding:
    static = Path(__file__).parents[1] / "viz" / "static"
    missing = [name for name in ("panel.js", "panel.css") if not (static / name).is_file()]
    if missing:
        advice = "install nbflow again; from a clone: make js"
        return Finding("panel script", "bad", f"{', '.join(missing)} missing in {static}", advice)
    size = sum((static / name).stat().st_size for name in ("panel.js", "panel.css"))
    return Finding("panel script", "ok", f"{size / 1024:.0f} kB in {static}")


def _dot() -> Finding:
    path = shutil.which("dot")
    if path is None:
        advice = (
            "not needed: nbflow lays graphs out itself; Graphviz does small ones a little better"
        )
        return Finding("dot", "note", "not installed", advice)
    try:
        said = subprocess.run(  # noqa: S603 - the program that was found
            [path, "-V"], capture_output=True, text=True, timeout=10, check=True
        )
    except subprocess.TimeoutExpired:
        return Finding("dot", "bad", f"{path} does not answer within 10 s", _MEND_DOT)
    except subprocess.CalledProcessError as error:
        last = error.stderr.strip().splitlines()[-1:] or ["it says nothing"]
        text = f"{path} cannot be used: it ended with {error.returncode}: {last[0]}"
        return Finding("dot", "bad", text, _MEND_DOT)
    except OSError as error:
        text = f"{path} cannot be started: {error.strerror or error}"
        return Finding("dot", "bad", text, _MEND_DOT)
    return Finding("dot", "ok", said.stderr.strip() or path)


def _store() -> Finding:
    where = settings.store or os.environ.get("NBFLOW_STORE")
    if where == MEMORY:
        return Finding("store", "note", "in memory: nothing is kept", "unset NBFLOW_STORE")
    try:
        directory = store_directory()
        if not directory.exists():
            parent = next(p for p in directory.parents if p.exists())
            state: State = "ok" if os.access(parent, os.W_OK) else "bad"
            advice = "" if state == "ok" else "nbflow --store DIR, or NBFLOW_STORE=DIR"
            return Finding("store", state, f"{directory}: made at the first run", advice)
        from nbflow.store import care  # noqa: PLC0415 - loads sqlite3

        account = care.check(directory)
    except (NbflowError, OSError) as error:
        return Finding("store", "bad", str(error).split("\n")[0], "nbflow store recover NEW-DIR")
    if not account.ok:
        return Finding(
            "store", "bad", account.problems[0], "nbflow store check; nbflow store recover NEW-DIR"
        )
    free = shutil.disk_usage(directory).free
    return Finding("store", "ok", f"{str(account).splitlines()[0]}; {free / 1e9:.1f} GB free")


def _processes() -> Finding:
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    if sys.platform == "win32":
        return Finding(
            "processes", "note", f"{cores} cores", 'Windows has no "processes": use threads'
        )
    return Finding("processes", "ok", f"{cores} cores")


def _aws() -> Finding:
    if importlib.util.find_spec("boto3") is None:
        return Finding(
            "Amazon SWF", "note", "boto3 is not installed", 'pip install "jupyter-nbflow[swf]"'
        )
    import boto3

    session = boto3.Session()
    endpoint = os.environ.get("AWS_ENDPOINT_URL_SWF") or os.environ.get("AWS_ENDPOINT_URL")
    credentials = session.get_credentials()
    region = session.region_name or "no region"
    where = f"{region}{f', endpoint {endpoint}' if endpoint else ''}"
    if credentials is None:
        return Finding(
            "Amazon SWF", "note", f"no credentials, {where}", "aws configure, or AWS_PROFILE"
        )
    return Finding("Amazon SWF", "ok", f"credentials by {credentials.method}, {where}")


def _alibaba() -> Finding:
    if importlib.util.find_spec("alibabacloud_fnf20190315") is None:
        advice = 'pip install "jupyter-nbflow[cloudflow]"'
        return Finding("Alibaba CloudFlow", "note", "its SDK is not installed", advice)
    if os.environ.get("ALIBABA_CLOUD_ACCESS_KEY_ID"):
        return Finding("Alibaba CloudFlow", "ok", "credentials in the environment")
    if Path("~/.alibabacloud/credentials").expanduser().exists():
        return Finding("Alibaba CloudFlow", "ok", "credentials in ~/.alibabacloud")
    advice = "ALIBABA_CLOUD_ACCESS_KEY_ID and _SECRET, or ~/.alibabacloud/credentials"
    return Finding("Alibaba CloudFlow", "note", "no credentials", advice)


CHECKS: Final[tuple[Callable[[], Finding], ...]] = (
    _python,
    _own,
    _kernel,
    _front,
    _script,
    _dot,
    _store,
    _processes,
    _aws,
    _alibaba,
)


def findings() -> Iterator[Finding]:
    """Make all checks. One that breaks is a finding, too."""
    for check in CHECKS:
        try:
            yield check()
        except Exception as error:  # noqa: BLE001 - whatever is wrong here is what is looked for
            yield Finding(check.__name__.strip("_"), "bad", f"{type(error).__name__}: {error}")


@click.command("doctor")
@common
@screen
def doctor(out: Screen) -> None:
    """Check what nbflow needs on this machine.

    That is the kernel, the panel, dot, the store, and credentials, which are not shown.
    The exit code is 1 if something has to be mended.
    """
    found = list(findings())
    columns = (
        Column("", lambda state: _MARKS[state]) if out.form == "table" else Column("state"),
        Column("check"),
        Column("found"),
        Column("advice"),
    )
    if out.form == "table":
        for each in found:
            click.echo(f"{_MARKS[each.state]} {each.check}: {each.found}")
            if each.advice:
                click.echo(f"    {each.advice}")
    else:
        out.show(Table(columns, [(f.state, f.check, f.found, f.advice) for f in found]))
    leave(FAILED if any(each.state == "bad" for each in found) else DONE)


_SECTIONS: Final = ("versions", "settings", "environment")


@click.command("info")
@click.argument("sections", nargs=-1, type=click.Choice(_SECTIONS), metavar="[SECTION]...")
@common
@shown
def info(sections: tuple[str, ...]) -> Shown:
    """List versions, settings and environment variables.

    Secrets are not shown.
    """
    rows: list[tuple[str, str, str]] = []
    for section in sections or _SECTIONS:
        rows += [(section, name, value) for name, value in _INFO[section]()]
    return Table((Column("section"), Column("name"), Column("value")), rows)


def _versions() -> Iterator[tuple[str, str]]:
    yield "nbflow", __version__
    yield "python", platform.python_version()
    yield "platform", platform.platform()
    for package in _PACKAGES:
        yield package, _version(package) or "not installed"


def _settings() -> Iterator[tuple[str, str]]:
    yield "on", settings.on if isinstance(settings.on, str) else type(settings.on).__name__
    for name, value in settings.options.items():
        yield name, str(value)
    where: Any = settings.store or os.environ.get("NBFLOW_STORE") or ".nbflow"
    yield "store", str(getattr(where, "path", where))
    yield "durability", settings.durability
    yield "output", settings.output


def _environment() -> Iterator[tuple[str, str]]:
    for name in sorted(os.environ):
        if _SHOWN.match(name):
            yield name, "(set, not shown)" if _SECRET.search(name) else os.environ[name]


_INFO: Final[dict[str, Callable[[], Iterator[tuple[str, str]]]]] = {
    "versions": _versions,
    "settings": _settings,
    "environment": _environment,
}

COMMANDS = (doctor, info)
