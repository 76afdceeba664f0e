"""Timers: waiting that is in the log, so that it survives the end of the process.

Run it by ``python examples/timer.py``.
"""

import nbflow


@nbflow.activity
def look(attempt: int) -> str | None:
    return "ready" if attempt == 3 else None


@nbflow.workflow
def poll(every: float) -> str:
    """Look every now and then, a limited number of times."""
    for attempt in range(1, 10):
        if look(attempt).result() is not None:
            return f"ready at look {attempt}"
        nbflow.sleep(every)
    return "never ready"


@nbflow.workflow
def reminder(seconds: float) -> list[str]:
    """Two timers, of which the longer one is not needed any more."""
    begun = nbflow.now()
    soon = nbflow.start_timer(seconds)
    late = nbflow.start_timer(24 * 3600, id="tomorrow")
    soon.result()
    nbflow.cancel_timer("tomorrow")
    late.result()  # None at once: it was cancelled
    details = nbflow.get_event_details("timer", "tomorrow") or {}
    passed = (nbflow.now() - begun).total_seconds()
    return [f"waited {'long' if passed > 60 else 'shortly'}", details["state"]]


def main() -> None:
    nbflow.configure(store=":memory:")
    print("poll:    ", poll(0.02).result())
    run = reminder(0.05)
    print("reminder:", run.result())
    kinds = [type(event).__name__ for event in run.events()]
    print("in the log:", [kind for kind in kinds if kind.startswith("Timer")])


if __name__ == "__main__":
    main()
