"""The cache in a notebook: cells edited, kernels restarted, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore:unclosed event loop:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

PLACES = pytest.mark.parametrize("place", ["threads", "processes"], ids=str)

DEEP = ("def deep(x):", "    return x * K")
HELPER = ("def helper(x):", "    return deep(x) + 1")
WORK = ("%%activity work(x: int) -> int --cache", "y = x", "helper(y)")
FLOW = ("%%workflow flow(n: int = 2)", "[work(x).result() for x in range(n)]")


@pytest.fixture
def kernels(kernel_home: Path, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Start kernels one after the other, all with one store; the last one is ended."""
    from tests.magics import conftest

    made: list[tuple[Any, Any]] = []

    def end() -> None:
        for manager, client in made:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
        made.clear()

    def start(seed: str, place: str) -> Any:
        end()
        env = {**conftest._environment(kernel_home), "PYTHONHASHSEED": seed}
        made.append(start_new_kernel(kernel_name="python3", env=env, cwd=str(tmp_path)))
        kernel = conftest.Kernel(made[-1][1])
        kernel.run("%load_ext nbflow", "import nbflow")
        kernel.run(f"nbflow.configure(store={str(tmp_path / 'store')!r}, on={place!r})")
        return kernel

    yield start
    end()


def defined(kernel: Any, k: str = "K = 5", **changes: Any) -> None:
    """Run the cells that define the workflow."""
    cells = {"deep": DEEP, "helper": HELPER, "work": WORK, "flow": FLOW, **changes}
    kernel.run(k)
    for cell in cells.values():
        assert kernel.run(*cell).status == "ok"


def ran(kernel: Any) -> tuple[str, list[str]]:
    """Start a run; give its result, and the group and text of each of its calls."""
    reply = kernel.run("run = flow(); print(run.result())")
    assert reply.status == "ok", reply.text
    why = kernel.run("print(*[f'{x.group}|{x.text}' for x in run.why()], sep='\\n')").text
    return reply.text.splitlines()[-1], why.strip().splitlines()


@PLACES
def test_an_edited_global_is_recomputed_and_named(kernels, place):
    """``K = 5``, a run from the cache, ``K = 50``: every call runs again and says why."""
    kernel = kernels("0", place)
    defined(kernel)
    assert ran(kernel)[0] == "[1, 6]"
    result, why = ran(kernel)
    assert result == "[1, 6]"
    assert [line.partition("|")[0] for line in why] == ["cached", "cached"]
    kernel.run("K = 50")
    assert ran(kernel) == ("[1, 51]", ["code|K: 5 -> 50"] * 2)
    text = kernel.run("%nbflow why run").text
    assert "0 of 2 calls from the cache" in text
    assert "ran: code changed (2)" in text
    assert "work-1  K: 5 -> 50" in text
    kernel.run("K = 5")
    result, why = ran(kernel)
    assert result == "[1, 6]"
    assert [line.partition("|")[0] for line in why] == ["cached", "cached"]


@PLACES
def test_a_helper_two_calls_deep_is_named(kernels, place):
    """The cell of ``deep``, which ``helper`` calls, is edited: its name is the reason."""
    kernel = kernels("0", place)
    defined(kernel)
    assert ran(kernel)[0] == "[1, 6]"
    kernel.run("def deep(x):", "    return x * K * 2")
    assert ran(kernel) == ("[1, 11]", ["code|deep() edited"] * 2)
    kernel.run("%%activity work(x: int) -> int --cache", "helper(x) - 1")
    assert ran(kernel) == ("[0, 10]", ["code|work() edited"] * 2)


@PLACES
def test_comments_and_a_restart_change_nothing(kernels, place):
    """Another kernel, hash seed, order of cells, comments and layout: all from the cache."""
    kernel = kernels("0", place)
    defined(kernel)
    assert ran(kernel)[0] == "[1, 6]"
    kernel = kernels("1", place)
    kernel.run("# nothing here", "x = 1")
    defined(
        kernel,
        k="K   =  5  # five",
        deep=(
            "# What is deep?",
            "",
            "def deep( x ):",
            '    "Say it."',
            "    return (x",
            "        *K)",
        ),
        work=("%%activity work(x: int) -> int --cache", "# a comment", "y = x", "", "helper( y )"),
    )
    result, why = ran(kernel)
    assert result == "[1, 6]"
    assert [line.partition("|")[0] for line in why] == ["cached", "cached"]
    assert "old, took" in why[0]


def test_the_body_may_be_a_def(kernels):
    """A cell with a whole ``def`` is the same activity as before the kernel was restarted."""
    cell = ("%%activity --cache", "def work(x: int) -> int:", "    return helper(x)")
    for seed, group in (("0", "first"), ("1", "cached")):
        kernel = kernels(seed, "threads")
        defined(kernel, work=cell)
        _, why = ran(kernel)
        assert {line.partition("|")[0] for line in why} == {group}


# -------------------------------------------------------------------- the magics, in one process


@pytest.fixture
def flow(shell):
    """Define a workflow with a cached activity and one that is not."""
    shell.cell("%%activity fetch(region: str) --cache", "[region] * 3")
    shell.cell("%%activity count(rows: list)", "len(rows)")
    shell.cell("%%workflow flow(regions: list)", "[count(fetch(r)) for r in regions]")
    return shell


def test_why_groups_the_calls(flow):
    """``%nbflow why`` shows the latest run, or a named one, or one call."""
    assert "no run in this kernel yet" in flow.cell("%nbflow why")
    flow.cell("flow(['eu']).result();")
    flow.cell("run = flow(['eu', 'us']); run.result();")
    text = flow.cell("%nbflow why run")
    assert "1 of 4 calls from the cache" in text
    assert "from the cache (1)" in text
    assert "ran: arguments changed (1)\n  fetch-2  region: 'eu' -> 'us'" in text
    assert "ran: not to be cached (2)" in text
    assert "count-1  count has no cache=True" in text
    assert "region: 'eu' -> 'us'" in flow.cell("%nbflow why run --call fetch-2")
    assert "has no call 'fetch-9'" in flow.cell("%nbflow why run --call fetch-9")


def test_the_cache_can_be_listed_and_cleared(flow):
    """``%nbflow cache`` shows what there is; clear says what went, and asks for what is missing."""
    assert "nothing is cached" in flow.cell("%nbflow cache")
    flow.cell("flow(['eu', 'us']).result();")
    text = flow.cell("%nbflow cache list --activity fetch")
    assert "fetch     flow-" in text
    assert "2 results" in flow.cell("%nbflow cache size")
    assert "clear what?" in flow.cell("%nbflow cache clear")
    assert "%nbflow cache clear, then" in flow.cell("%nbflow cache --all")
    assert "removed 0 results" in flow.cell("%nbflow cache clear --older-than 7d")
    assert "removed 0 results" in flow.cell("%nbflow cache clear --larger-than 10MB")
    assert "is no age" in flow.cell("%nbflow cache clear --older-than soon")
    assert "is no size" in flow.cell("%nbflow cache clear --larger-than 5x")
    assert "use list, size or clear" in flow.cell("%nbflow cache drop")
    assert "removed 2 results" in flow.cell("%nbflow cache clear --activity fetch")
    assert "nothing is cached" in flow.cell("%nbflow cache")


def test_declared_inputs_come_from_an_expression(flow, tmp_path):
    """``--cache-key`` takes an expression; a bad one is one line that says what would do."""
    file = tmp_path / "data.csv"
    file.write_text("1")
    flow.cell(f"file = {str(file)!r}")
    header = "%%activity read() --cache --cache-key \"{'files': [file]}\""
    assert "UsageError" not in flow.cell(header, "1")
    flow.cell("%%workflow reading()", "read()")
    for text, group in (("1", "first"), ("1", "cached"), ("2", "input")):
        file.write_text(text)
        flow.cell("run = reading(); run.result();")
        assert flow["run"].why()["read-1"].group == group
    said = flow.cell("%%activity read() --cache --cache-key \"{'fils': [file]}\"", "1")
    assert "cache_key has no fils: use files, env, version, hidden" in said
