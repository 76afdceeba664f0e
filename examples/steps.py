"""Steps: parts of a workflow that are done once, over any number of runs.

Run it by ``python examples/steps.py``.
"""

import nbflow


@nbflow.activity
def load(region: str) -> int:
    return len(region) * 100


@nbflow.activity
def publish(rows: int) -> str:
    return f"{rows} rows are out"


@nbflow.workflow
def nightly(day: str, regions: list[str], force: tuple[str, ...] = ()) -> dict[str, object]:
    """Whoever runs this a second time for a day does what is left, and nothing twice."""
    steps = nbflow.Steps(f"nightly/{day}", force=force)
    loaded = {r: steps.step(f"load.{r}", (load, r)).submit() for r in regions}
    rows = sum(sum(future.result() or [0]) for future in loaded.values())
    out = steps.step("publish", (publish, rows)).submit()
    return {
        "skipped": [name for name, future in loaded.items() if future.skipped],
        "published": out.result(),
    }


def main() -> None:
    nbflow.configure(store=":memory:")
    print("first:  ", nightly("monday", ["eu", "asia"]).result())
    print("again:  ", nightly("monday", ["eu", "asia", "us"]).result())
    forced = ("load.asia", "publish")
    print("forced: ", nightly("monday", ["eu", "asia", "us"], forced).result())
    print("tuesday:", nightly("tuesday", ["eu"]).result())
    print("done:   ", sorted(nbflow.done_steps("nightly/monday")))


if __name__ == "__main__":
    main()
