"""A run that goes on for ever, in many runs with short logs.

Run it by ``python examples/continue_as_new.py``.
"""

import nbflow


@nbflow.activity
def count_new(page: int) -> int:
    return page % 3 + 1


@nbflow.workflow(tags=["inventory"])
def inventory(page: int = 0, seen: int = 0) -> str:
    """Count page by page; begin a new log whenever this one has become long."""
    while page < 12:
        seen += count_new(page).result()
        page += 1
        nbflow.continue_as_new(page, seen, after_events=10)
    return f"{seen} things on {page} pages"


def main() -> None:
    nbflow.configure(store=":memory:")
    run = inventory()
    print(run.result())  # that of the last run
    while run.onward is not None:
        print(run.id.rpartition("-")[0], run.status, sum(1 for _ in run.events()), "events")
        run = run.onward
    print(run.id.rpartition("-")[0], run.status)


if __name__ == "__main__":
    main()
