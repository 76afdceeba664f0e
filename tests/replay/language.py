"""More workflows of the histories that are kept: one for each construct of the language.

What they ask for is never changed.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import nbflow
from nbflow import Chain, FuncGroup, Group
from tests.replay.cases import add, double, flaky, refuse

flow: Any = nbflow.workflow


@nbflow.activity
def stuck() -> None:
    """Run until nobody waits for it."""
    while not nbflow.context().cancelled:
        time.sleep(0.003)


@nbflow.activity(cache=True)
def kept(x: int) -> int:
    """Be answered by an earlier call."""
    return x + 100


@nbflow.activity
class Loud:
    """Print, and tell how far it is."""

    def __init__(self, x: int) -> None:
        self.x = x

    def execute(self) -> int:
        """Give the next number."""
        print("at", self.x)
        nbflow.context().progress(1, 2, "half")
        return self.x + 1


@flow
def groups(x: int) -> Any:
    """Compose calls: side by side, one by one, late, within each other."""
    side = Group((add, x, 1), (double, x), max_parallel=1, name="side").submit()
    first = side.result()
    chained = Chain((add, x), (double,), send_result=True).submit().result()
    late = FuncGroup(lambda n: [(add, n, i) for i in range(2)], x).submit().result()
    inner = Group((double, 1), Chain((double, 2), (double, 3)), name="outer").submit()
    return [first, chained, late, inner, double(x)]


@flow
def holes(x: int) -> Any:
    """Go on after failures in groups and chains."""
    soft = Group((refuse, x), (double, x), raises_on_failure=False).submit().result()
    error: Any = Chain((refuse, x), (double, x), break_on_failure=False).submit().exception()
    broken: Any = Chain((refuse, x), (double, x)).submit().exception()
    return [soft, [str(e) for e in error.errors if e], len(broken.exceptions)]


@flow
def part(x: int) -> Any:
    """Be a child."""
    return double(add(x, 1))


@flow
def bad(x: int) -> Any:
    """Be a child that fails."""
    return refuse(add(x, 1))


@flow
def children(x: int) -> Any:
    """Call workflows: one after the other, in a group, one that fails."""
    first = part(x)
    both = Group((part, 1), (part, 2)).submit().result()
    shrugged = bad.options(raises_on_failure=False)(x).result()
    return [first, both, shrugged, add(part(first))]


@flow(lint=False)
def signals(x: int) -> Any:
    """Send and wait: before, after, as a queue, as an argument."""
    before = nbflow.wait_signal("go")
    for number in range(3):
        nbflow.signal("go", [x, number]).result()
    queue = nbflow.signals("go")
    taken = [queue.get().result(), queue.get().result()]
    left = queue.get()
    left.result()
    nbflow.signal("number", x).result()
    return [before.result(), taken, left, add(nbflow.wait_signal("number"), 1)]


@flow
def timers(x: int) -> Any:
    """Start and cancel timers; race one with a signal that never comes."""
    short, long = nbflow.start_timer(0.01), nbflow.start_timer(3600, id="long")
    never = nbflow.wait_signal("never")
    done, _ = nbflow.wait([never, short], return_when=nbflow.FIRST_COMPLETED)
    nbflow.cancel_timer("long")
    details = nbflow.get_event_details("timer", "long") if long.result() is None else None
    return [len(done), (details or {})["state"], double(x)]


@flow(tags=["kept"])
def onward(x: int) -> Any:
    """Go on as new."""
    nbflow.signal("left", x).result()
    nbflow.wait_signal("left").result()
    if x < 2:
        nbflow.continue_as_new(add(x, 1).result())
    return x


def decide(failure: nbflow.FailureContext) -> Any:
    """Decide in each way but one, by the argument in the message."""
    number = int(failure.reason.rpartition(" ")[2])
    ways = [
        failure.decide_ignore,
        lambda: failure.decide_handled(number * 10),
        failure.decide_cancel,
        lambda: failure.decide_retry() if failure.attempt < 2 else None,
        lambda: failure.decide_retry(wait=0.001) if failure.attempt < 2 else None,
    ]
    return ways[number]()


@flow(on_task_failure=decide)
def decisions(x: int) -> Any:
    """Have failures decided about."""
    found = [refuse(number) for number in range(x)]
    return [type(f.exception()).__name__ if f.exception() else f.result() for f in found]


@flow(on_task_failure=lambda failure: failure.decide_abort())
def aborts(x: int) -> Any:
    """Be ended by a failure."""
    return refuse(x).exception()


@flow(max_open_activity_count=2, task_priority=1)
def options(x: int) -> Any:
    """Use what calls can say of themselves."""
    same = double.options(idempotent=True)
    one, two = same(x), same(x=x)
    named = add.submit(x, 1, call_id="the-sum")
    high = double.submit(x, task_priority=9)
    soft = refuse.options(raises_on_failure=False, retry=nbflow.Retry(attempts=2, wait=0))(x)
    return [one.call == two.call, named, high, add(soft.result() or 0, flaky(x))]


@flow
def cached(x: int) -> Any:
    """Be answered by the cache, the second time."""
    first = kept(x).result()
    return [first, kept(x), Loud(x)]


@flow(name="async", lint=False)
async def coroutines(x: int) -> Any:
    """Wait for tasks, groups, time and a time limit."""

    async def twice(n: int) -> int:
        return int(await double(await double(n)))

    both: Any = await asyncio.gather(double(x), asyncio.create_task(twice(x)))
    first, second = both
    await asyncio.sleep(0.01)
    try:
        async with asyncio.timeout(0.01):
            await nbflow.wait_signal("never")
    except TimeoutError:
        first += 1
    return [first, second, await add(first, second)]


@flow
def cleans(x: int) -> Any:
    """Be cancelled, and clean up by a call."""
    add(x, 1).result()
    try:
        return stuck().result()
    finally:
        double(x).result()


class Classy(nbflow.Workflow):
    """Be a class, with hooks."""

    name = "classy"

    def run(self, x: int) -> Any:
        """Map, and submit."""
        doubled = self.map(double, [x, x + 1])
        return [*[f.result() for f in doubled], self.submit(add, x, 1)]

    def on_completed(self, context: Any) -> None:
        """Be told."""
        assert len(context.calls) == 3

    def should_cancel(self, context: Any) -> bool:
        """Refuse."""
        return False


@flow
def steps(x: int) -> Any:
    """Do one step, and skip another."""
    made = nbflow.Steps("kept", skip=["no"])
    one = made.step("yes", (double, x), emit_signal=True).submit()
    other = made.step("no", (double, x), activities_if_step_already_done=(add, x)).submit()
    return [one.result(), other.result(), nbflow.wait_signal("step.yes").result()]


BROKEN: list[int] = []
"""What fails once, while the history is made."""


@nbflow.activity
def wobbly(x: int) -> int:
    """Fail, if it is to."""
    if x in BROKEN:
        BROKEN.remove(x)
        message = f"{x} wobbles"
        raise OSError(message)
    if BROKEN:
        time.sleep(0.1)  # so that the failure comes first
    return x


@nbflow.workflow(lint=False)
def reordered(x: int) -> list[int]:
    """Ask as results come in: in another order, once a failure was taken back."""
    found = []
    for number, part in enumerate(nbflow.as_completed([wobbly(x + n) for n in range(4)])):
        nbflow.side_effect(len, [number])
        found.append(double(part))
    errors = [future.exception() for future in found]
    return sorted(add(future, len(errors)).result() for future in found)


LANGUAGE: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "groups": (groups, (3,)),
    "holes": (holes, (4,)),
    "children": (children, (5,)),
    "signals": (signals, (6,)),
    "timers": (timers, (7,)),
    "onward": (onward, (1,)),
    "decisions": (decisions, (5,)),
    "aborts": (aborts, (9,)),
    "options": (options, (10,)),
    "cached": (cached, (11,)),
    "async": (coroutines, (12,)),
    "cleans": (cleans, (13,)),
    "classy": (Classy, (14,)),
    "steps": (steps, (15,)),
    "reordered": (reordered, (16,)),
}
"""By name: the workflow and its arguments."""
