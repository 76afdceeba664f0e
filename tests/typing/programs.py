"""Programs as users write them, and the mistakes in them that a type checker has to find.

Never run. mypy checks it in `make check`, where an ignored error that is none is one itself;
`tests/typing/test_types.py` gives it to pyright, which must refuse each line that is marked as
wrong, in a message that has the word in it, and no other.
"""

from __future__ import annotations

from typing import Any, assert_type

import nbflow
from nbflow import Future, Run, activity, workflow
from nbflow.execute import binaries, program


@activity
def fetch(region: str, rows: int = 5) -> list[int]:
    return list(range(rows))


@activity(retry=nbflow.Retry(attempts=3, wait=1.0), timeout=60, cache=True)
def total(values: list[int], rate: float) -> float:
    return sum(values) * rate


@activity
async def name_of(number: int) -> str:
    return str(number)


@activity
@binaries({"jq": "https://example.org/jq"})
@program("jq")
def jq(query: str, file: str) -> str:
    raise NotImplementedError


@workflow
def revenue(regions: list[str], rate: float = 1.08) -> dict[str, float]:
    futures = {region: total(fetch(region), rate) for region in regions}
    first = futures["eu"]
    assert_type(first, Future[float])
    assert_type(first.result(), float)
    assert_type(first.exception(), BaseException | None)
    return {region: future.result() for region, future in futures.items()}


@workflow
def results(regions: list[str]) -> list[Future[float]]:
    return [total(fetch(region), 1.0) for region in regions]


@workflow
async def named(number: int) -> str:
    text = await name_of(number)
    assert_type(text, str)
    return text


@workflow
def appending(regions: list[str]) -> list[int]:
    numbers = fetch(regions[0]).result()
    numbers.append("x")  # type: ignore[arg-type]  # wrong: int
    return numbers


def starts() -> None:
    run = revenue.start(["eu"], rate=1.0)
    assert_type(run, Run[dict[str, float]])
    assert_type(run.result(), dict[str, float])
    assert_type(run.wait(5), bool)
    assert_type(nbflow.attach("revenue-1f0c"), Run[Any])
    assert_type(revenue.on("processes", max_workers=2).start(["eu"]), Run[dict[str, float]])
    revenue.start(5)  # type: ignore[arg-type]  # wrong: list
    revenue.start(["eu"], speed=2)  # type: ignore[call-arg]  # wrong: speed
    revenue.on("threads").start()  # type: ignore[call-arg]  # wrong: regions
    run.results()  # type: ignore[attr-defined]  # wrong: results
    text: str = run.result()  # type: ignore[assignment]  # wrong: dict
    del text


class Nightly(nbflow.Workflow):
    name = "nightly"

    def run(self, days: int) -> Any:
        future = self.submit(fetch, "eu")
        assert_type(future, Future[list[int]])
        assert_type(self.map(fetch, ["eu", "us"]), list[Future[list[int]]])
        return future


assert_type(Nightly.start(3), Run[Any])
