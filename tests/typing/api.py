"""What a type checker must make of the public API. Never run: checked by mypy in `make check`."""

from __future__ import annotations

from typing import Any, assert_type

import nbflow
from nbflow import Future, Run, activity, workflow


@activity
def fetch(region: str, rows: int = 5) -> list[int]:
    return list(range(rows))


@activity(retry=3, timeout=60, executor="processes")
def total(values: list[int], rate: float) -> float:
    return sum(values) * rate


@workflow
def revenue(regions: list[str], rate: float = 1.08) -> dict[str, float]:
    futures = {region: total(fetch(region), rate) for region in regions}
    assert_type(fetch("eu", 3), Future[list[int]])
    assert_type(fetch("eu").result(), list[int])
    done = nbflow.wait(list(futures.values()), return_when="FIRST_COMPLETED").done
    assert_type(done, list[Future[Any]])
    assert_type(nbflow.gather(*futures.values()).result(), list[float])
    return {region: future.result() for region, future in futures.items()}


@workflow(name="last")
def last(region: str) -> Future[float]:
    return total(fetch(region), 1.0)


@workflow
def plain(region: str) -> Future[float]:
    return total(fetch(region), 1.0)


@activity
async def later(x: int) -> str:
    return str(x)


@workflow
async def awaiting(x: int) -> str:
    assert_type(later(x), Future[str])
    return await later(x)


@workflow(max_events=10_000, on_failure=lambda ended: print(ended.reason))
async def gathering(x: int) -> list[str]:
    assert_type(nbflow.submit(awaiting, 1), Future[str])
    return [await future async for future in nbflow.as_completed([later(x), later(x + 1)])]


class Basic(nbflow.Workflow):
    name = "basic"

    def on_completed(self, ended: nbflow.HookContext) -> None:
        assert_type(ended.reason, str)

    def run(self, x: int, t: int = 30) -> Any:
        assert_type(self.submit(fetch, "eu"), Future[list[int]])
        assert_type(self.submit(revenue, ["eu"]), Future[dict[str, float]])
        assert_type(nbflow.submit(revenue, ["eu"], rate=1.0), Future[dict[str, float]])
        assert_type(nbflow.submit(fetch, "eu"), Future[list[int]])
        return self.map(fetch, ["eu"])


assert_type(revenue(["eu"]), Run[dict[str, float]])
assert_type(revenue.start(["eu"], rate=1.0), Run[dict[str, float]])
assert_type(revenue.on("processes", max_workers=2).start(["eu"]), Run[dict[str, float]])
assert_type(nbflow.run(revenue, ["eu"]), dict[str, float])
assert_type(nbflow.start(revenue, ["eu"]).result(), dict[str, float])
assert_type(plain("eu"), Run[float])
assert_type(awaiting(1), Run[str])
assert_type(gathering(1), Run[list[str]])
assert_type(Basic.start(1, t=5), Run[Any])
revenue(1)  # type: ignore[arg-type]
revenue(["eu"], speed=2)  # type: ignore[call-arg]
