"""Programs of several runs: children, signals, and runs that go on as new."""

from __future__ import annotations

from typing import Any

import nbflow
from tests.differential.activities import SOON, add, double, fail, faulty, inc, stuck
from tests.differential.program import HERE, Outside, program

flow: Any = nbflow.workflow

# ---------------------------------------------------------------- children


@flow
def twice(x: int) -> Any:
    """Add one, two times."""
    return inc(inc(x))


@flow
def broken(x: int) -> Any:
    """Fail after a success."""
    return fail(inc(x))


@flow(tags=["inner"])
def tags() -> Any:
    """Give the tags and the parent."""
    context = nbflow.run_context()
    return [list(context.tags), context.parent, context.call]


class Small(nbflow.Workflow):
    """A child that is a class."""

    name = "small"

    def run(self, x: int, y: int = 1) -> Any:
        """Add up."""
        return self.submit(add, x, y)


@program(16, needs=["children"], gives=4)
@flow(name="a child run")
def child() -> Any:
    return inc(twice(1))


@program(16, needs=["children"], gives=[6, 2, 3, 4])
class Parent(nbflow.Workflow):
    name = "children of both shapes"

    def run(self) -> Any:
        both = nbflow.Group((Small, 1), (twice, 1), name="both")
        named = self.submit(Small, 1, y=3)
        return [self.submit(Small, 5).result(), *self.submit(both).result(), named.result()]


@program(16, needs=["children"], gives=[4, 4])
@flow(name="children that take futures and give edges")
def edges() -> Any:
    return [twice(inc(1)), twice(twice(0))]


@program(16, needs=["children"], raises=("ValueError", "refused 2"))
@flow(name="a child that fails its parent")
def failing() -> Any:
    return broken(1)


@program(16, needs=["children"], gives=["refused 2", None])
@flow(name="a child that fails and is caught")
def caught() -> Any:
    shrugged = broken.options(raises_on_failure=False)(1).result()
    try:
        broken(1).result()
    except ValueError as error:
        return [str(error), shrugged]
    return []


@program(16, 11, needs=["children"], gives=[True, 5])
@flow(name="equal children are one child")
def equal() -> Any:
    same = twice.options(idempotent=True)
    first, second = same(3), same(3)
    return [first.call == second.call, second]


@flow
def flaky(directory: str) -> Any:
    """Fail once, after a success."""
    inc(1).result()
    return faulty(directory, "child", 1)


@program(16, 7, needs=["children"], args=(HERE,), gives="child at invocation 2")
@flow(name="a child that is tried again keeps what succeeded")
def retried(directory: str) -> Any:
    return flaky.options(retry=SOON)(directory)


@program(
    16, 23, needs=["children"], args=(HERE,), gives="child at invocation 2",
    outside=(Outside("resume"),),
)  # fmt: skip
@flow(name="a resumed parent resumes its child")
def resumed(directory: str) -> Any:
    return flaky(directory)


@program(
    16, 22, needs=["children"], gives=[["night"], ["inner"], "RUN", "tags-1"],
)  # fmt: skip
@flow(name="tags are inherited or one's own", tags=["night"])
def tagged() -> Any:
    own = tags().result()
    return [list(nbflow.run_context().tags), own[0], own[1], own[2]]


@flow
def nested(depth: int) -> Any:
    """Be a child of a child."""
    return inc(nested(depth - 1)) if depth else inc(0)


@program(16, needs=["children"], args=(3,), gives=4)
@flow(name="children of children")
def deep(depth: int) -> Any:
    return nested(depth)


@flow(lint=False)
def hanging() -> Any:
    """Wait for what never ends."""
    future = stuck()
    nbflow.signal("born", to="parent")
    return future


@program(
    16, 20, needs=["children", "signals", "timers"], late={"stuck": ""}, status="cancelled",
    outside=(Outside("cancel", after="timer-1"),), loose=("stuck-1",),
)  # fmt: skip
@flow(name="a cancelled parent cancels its children")
def cancelled() -> Any:
    children = [hanging(), hanging.options(parent_close="cancel")()]
    nbflow.signals("born").get().result()
    nbflow.signals("born").get().result()
    nbflow.sleep(0)
    return [child_.result() for child_ in children]


@flow(lint=False)
def outliving() -> Any:
    """Go on after the parent."""
    nbflow.signal("born", 1, to="parent").result()
    return nbflow.wait_signal("go").result()


@program(
    16, 17, 21, needs=["children", "signals"], loose=("outliving-1",),
    raises=("nbflow.core.errors.WorkflowFailed", "enough"),
)  # fmt: skip
@flow(name="an abandoned child outlives its parent")
def abandoned() -> Any:
    future = outliving.options(parent_close="abandon")()
    nbflow.wait_signal("born").result()
    nbflow.signal("go", 7, to=future).result()
    nbflow.fail("enough")


# ---------------------------------------------------------------- signals


@program(17, needs=["signals"], gives=[{"n": 1}, {"n": 1}, 2])
@flow(name="signals to oneself, before and after")
def to_self() -> Any:
    before = nbflow.wait_signal("go")
    nbflow.signal("go", {"n": 1}).result()
    first = before.result()
    after = nbflow.wait_signal("go").result()
    nbflow.signal("go", 2).result()
    queue = nbflow.signals("go")
    queue.get().result(), queue.get().result()
    return [first, after, nbflow.wait_signal("go").result()]


@program(17, needs=["signals"], gives=[42, [41], None])
@flow(name="a signal as an argument and as a result")
def as_argument() -> Any:
    sent = nbflow.signal("x", 41)
    return [inc(nbflow.wait_signal("x")), [nbflow.wait_signal("x")], sent]


@program(
    17, gives=[5, [1, 2], [3], 3],
    outside=(
        Outside("signal", name="order", value=1),
        Outside("signal", name="order", value=2),
        Outside("signal", name="order", value=3),
        Outside("signal", name="go", value=5),
    ),
)  # fmt: skip
@flow(name="signals from outside, as a queue")
def queue() -> Any:
    orders = nbflow.signals("order")
    taken = [orders.get().result(), orders.get().result()]
    go = nbflow.wait_signal("go").result()
    return [go, taken, orders.unread(), orders.latest().result()]


@flow(lint=False)
def talking(n: int) -> Any:
    """Tell the parent, hear from it."""
    nbflow.signal("born", n, to="parent").result()
    return [nbflow.wait_signal("name").result(), nbflow.wait_signal("all").result()]


@program(17, 16, needs=["signals", "children"], gives=[[1, 2], ["a", "!"], ["b", "!"]])
@flow(name="parents and children tell each other")
def telling() -> Any:
    first, second = talking(1), talking(2)
    born = nbflow.signals("born")
    found = sorted([born.get().result(), born.get().result()])
    nbflow.signal("name", "a", to=first).result()
    nbflow.signal("name", "b", to=second).result()
    nbflow.signal("all", "!", propagate=True).result()
    return [found, first, second]


@flow
def listening(x: int) -> Any:
    """Wait for a word."""
    return [x, nbflow.wait_signal("word").result()]


@program(17, 16, needs=["signals", "children"], gives=[[2, "early"], [1, "early"]])
@flow(name="signals to children that are not there yet")
def too_early() -> Any:
    waiting = listening(inc(1))
    nbflow.signal("word", "early", to=waiting).result()
    both = [waiting, listening(1)]
    nbflow.signal("word", "early", to=both[1]).result()
    return both


@program(17, needs=["signals"], gives=[["RUN", 8], None])
@flow(name="what is known of a signal")
def details() -> Any:
    nbflow.signal("x", 8).result()
    nbflow.wait_signal("x").result()
    found = nbflow.get_event_details("signal", "x") or {}
    return [[found["sender"], found["value"]], nbflow.get_event_details("signal", "y")]


@program(17, needs=["signals"], raises=("nbflow.core.errors.DefinitionError", "no parent"))
@flow(name="a signal to a parent that there is not", lint=False)
def orphan() -> Any:
    nbflow.signal("x", 1, to="parent").result()


@program(17, 18, needs=["signals", "timers"], gives=[1, 1])
@flow(name="a race of a signal and a timer")
def raced() -> Any:
    late, never = nbflow.start_timer(0.02), nbflow.wait_signal("never")
    done, rest = nbflow.wait([never, late], return_when=nbflow.FIRST_COMPLETED)
    return [len(done), int(rest == [never])]


# ---------------------------------------------------------------- going on as new


@program(19, needs=["onward"], args=(0,), gives=[10, ["long"]])
@flow(name="eleven runs, one after the other", tags=["long"])
def counting(n: int) -> Any:
    if n < 10:
        nbflow.continue_as_new(inc(n).result())
    return [n, list(nbflow.run_context().tags)]


@program(19, needs=["onward"], args=(12,), gives="done")
@flow(name="a budget of events", lint=False)
def budget(left: int) -> Any:
    while left:
        left -= inc().result()
        # After two calls, each of which is two events, or three where its beginning is told.
        nbflow.continue_as_new(left, after_events=5)
    return "done"


@flow
def onward(n: int) -> Any:
    """Go on twice."""
    if n < 2:
        nbflow.continue_as_new(n=n + 1)
    return double(n)


@program(19, 16, needs=["onward", "children"], gives=5)
@flow(name="a child that goes on as new")
def child_onward() -> Any:
    return inc(onward(0))


@program(19, 17, needs=["onward", "signals"], gives=[[1], 2, 3])
@flow(name="signals that were not taken go along", lint=False)
def along(seen: tuple[int, ...] = ()) -> Any:
    queue = nbflow.signals("n")
    if not seen:
        for number in (1, 2, 3):
            nbflow.signal("n", number).result()
        nbflow.signal("go").result()
        nbflow.wait_signal("go").result()
        nbflow.continue_as_new([queue.get().result()])
    return [seen, queue.get().result(), queue.get().result()]
