"""Functions that are called before and after each attempt, whatever the activity.

Run it by ``python examples/middleware.py``.
"""

import threading

import nbflow

LOG: list[str] = []
LOCK = threading.Lock()


def note(text: str) -> None:
    with LOCK:
        LOG.append(text)


def before(context) -> None:
    note(f"{context.call} begins, attempt {context.attempt}")


def after(context, result, error) -> None:
    note(f"{context.call} ends: {result if error is None else type(error).__name__}")


@nbflow.activity(retry=nbflow.Retry(attempts=2, wait=0))
def fetch(region: str) -> str:
    if nbflow.context().attempt == 1:
        message = f"{region} is away"
        raise ConnectionError(message)
    return region.upper()


@nbflow.workflow
def flow() -> str:
    return fetch(fetch("eu"))


def refuse(context) -> None:
    """An error of a middleware fails the attempt."""
    message = f"{context.activity} is not allowed here"
    raise PermissionError(message)


def main() -> None:
    nbflow.configure(store=":memory:", middleware={"before": [before], "after": [after]})
    print("result:", flow().result())
    for line in LOG:
        print(" ", line)
    nbflow.configure(middleware={"before": [refuse]})
    refused = flow()
    refused.wait()
    print("refused:", refused.failed[0].error)
    nbflow.configure(middleware={})


if __name__ == "__main__":
    main()
