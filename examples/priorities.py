"""Of calls that could start, those with the highest priority go first.

Run it by ``python examples/priorities.py``.
"""

import threading

import nbflow

OPEN = threading.Event()


@nbflow.activity
def gate() -> None:
    """Keep the only worker busy until everything has been asked for."""
    OPEN.wait(30)


@nbflow.activity
def clean(name: str) -> str:
    return name


@nbflow.activity(task_priority=10)
def urgent(name: str) -> str:
    return name


@nbflow.workflow(task_priority=1)
def ward() -> list[str]:
    """A priority is that of the call, else of its activity, else of its workflow."""
    gate()
    calls = [
        clean("by the workflow's, 1"),
        clean.submit("none at all", task_priority=None),
        urgent("by the activity's, 10"),
        clean.submit("by the call's, 20", task_priority=20),
        clean.submit("by the call's, 5", task_priority=5),
    ]
    nbflow.side_effect(OPEN.set)
    return [future.result() for future in nbflow.as_completed(calls)]


def main() -> None:
    nbflow.configure(store=":memory:", on="threads", max_workers=1)
    for place, name in enumerate(ward().result(), 1):
        print(place, name)


if __name__ == "__main__":
    main()
