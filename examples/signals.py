"""Signals: runs that wait for people, for each other, and for whatever comes first.

Run it by ``python examples/signals.py``.
"""

import nbflow


@nbflow.activity
def reserve(number: int) -> str:
    return f"parts of order {number}"


@nbflow.activity
def ship(parts: str, to: str) -> str:
    return f"{parts} go to {to}"


@nbflow.workflow
def order(number: int) -> str:
    """Wait for somebody to approve, but not for ever."""
    parts = reserve(number)
    approved, late = nbflow.wait_signal("approved"), nbflow.start_timer(3600)
    done, _ = nbflow.wait([approved, late], return_when=nbflow.FIRST_COMPLETED)
    if approved not in done:
        return "nobody cared"
    nbflow.cancel_timer(late)
    return ship(parts, approved.result())


@nbflow.workflow
def queue() -> list[str]:
    """Take each signal once, in the order in which they came, until it is told to stop."""
    taken = []
    for job in nbflow.signals("work"):
        if job is None:
            return taken
        taken.append(job)
    return taken


@nbflow.workflow
def worker(name: str) -> str:
    """Tell the parent that it is there; do what the parent says."""
    nbflow.signal("ready", name, to="parent")
    return f"{name}: {nbflow.wait_signal('task').result()}"


@nbflow.workflow
def boss() -> list[str]:
    """Hear from children, and tell them what to do: one of them, then all."""
    team = {name: worker(name) for name in ("ann", "bob")}
    ready = nbflow.signals("ready")
    there = sorted([ready.get().result(), ready.get().result()])
    nbflow.signal("task", f"greet {there[1]}", to=team["ann"]).result()
    nbflow.signal("task", f"greet {there[0]}", to=team["bob"]).result()
    return list(team.values())


def main() -> None:
    nbflow.configure(store=":memory:")
    run = order(17)
    run.signal("approved", "Lyon")  # from here, or from any process that has the store
    print("order:", run.result())
    line = queue()
    for work in ("saw", "drill", None):
        line.signal("work", work)
    print("queue:", line.result())
    print("team: ", boss().result())


if __name__ == "__main__":
    main()
