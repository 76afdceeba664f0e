"""Workflows in workflows: each is a run of its own, and one call of its parent.

Run it by ``python examples/child_workflow.py``.
"""

import nbflow


@nbflow.activity
def sales(region: str, month: int) -> int:
    if region == "moon":
        message = "nobody sells on the moon"
        raise LookupError(message)
    return len(region) * 100 + month


@nbflow.activity
def total(*numbers: int | None) -> int:
    return sum(n or 0 for n in numbers)


@nbflow.workflow(tags=["quarter"])
def quarter(region: str, first: int) -> int:
    """A child like any workflow: it can be started by itself, too."""
    return total(*[sales(region, month) for month in range(first, first + 3)])


@nbflow.workflow
def year(regions: list[str]) -> dict[str, int]:
    """A child that fails gives None here; `retry=1` resumes it once before that."""
    careful = quarter.options(retry=nbflow.Retry(attempts=2, wait=0), raises_on_failure=False)
    return {r: total(*[careful(r, first) for first in (1, 4, 7, 10)]) for r in regions}


def main() -> None:
    nbflow.configure(store=":memory:")
    print("a quarter by itself:", quarter("eu", 1).result())
    run = year(["eu", "asia", "moon"])
    print("a year:", run.result())
    children = [row for row in nbflow.runs() if row.run.startswith(f"{run.id}/")]
    print(
        "children:", len(children), "of them failed:", sum(c.status == "failed" for c in children)
    )
    first = nbflow.attach(f"{run.id}/quarter-1")
    print("the first one:", first.status, first.result(), sorted(first.calls))


if __name__ == "__main__":
    main()
