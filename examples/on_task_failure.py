"""A workflow that decides what becomes of its failures, before the activities' own retries.

Run it by ``python examples/on_task_failure.py``.
"""

import nbflow


@nbflow.activity
def read(sensor: str) -> float:
    """Each sensor has a weakness of its own."""
    attempt = nbflow.context().attempt
    if sensor == "busy" and attempt < 3:
        message = "try again"
        raise BlockingIOError(message)
    if sensor == "broken":
        message = "no signal"
        raise ConnectionError(message)
    if sensor == "old":
        message = "it speaks another language"
        raise ValueError(message)
    return {"good": 20.5, "busy": 21.5}[sensor]


@nbflow.activity
def mean(*values: float | None) -> float:
    known = [value for value in values if value is not None]
    return sum(known) / len(known)


class Station(nbflow.Workflow):
    """Retry what is busy, do without what is broken, have a value for what is old."""

    name = "station"

    def run(self, sensors: list[str]) -> float:
        return self.submit(mean, *[self.submit(read, sensor) for sensor in sensors])

    def on_task_failure(self, failure: nbflow.FailureContext) -> nbflow.Decision | None:
        print(f"  {failure.call}, attempt {failure.attempt}: {failure.reason}")
        match failure.exception:
            case BlockingIOError():
                return failure.decide_retry(wait=0.01)
            case ConnectionError():
                return failure.decide_ignore()
            case ValueError():
                return failure.decide_handled(18.0)
        return None  # whatever the activity says


def main() -> None:
    nbflow.configure(store=":memory:", on="threads", max_workers=1)
    print("decided:")
    print("mean:", Station.start(["good", "busy", "broken", "old"]).result())
    print("not decided:")
    run = Station.start(["good", "lost"])
    run.wait()
    print("failed:", run.failed[0].id, repr(run.failed[0].error))


if __name__ == "__main__":
    main()
