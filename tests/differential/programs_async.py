"""Programs of coroutines, of hooks, and of code that cleans up when its run is cancelled."""

from __future__ import annotations

import asyncio
from typing import Any

import nbflow
from tests.differential.activities import add, double, fail, inc, stuck
from tests.differential.program import Outside, program
from tests.differential.told import tell

flow: Any = nbflow.workflow

# ---------------------------------------------------------------- coroutines


@program(5, needs=["timers"], gives=8)
@flow(name="an async def workflow")
async def awaiting() -> int:
    first = await inc(1)
    await nbflow.sleep(0.001)
    second, third = await nbflow.gather(double(first), inc(first))
    return second + third + 1


@program(5, needs=["timers"], args=(1,), gives=[2, 4])
class Awaiting(nbflow.Workflow, lint=False):
    name = "an async def class"

    async def run(self, x: int) -> list[int]:
        first = await self.submit(inc, x)
        await asyncio.sleep(0.001)
        return [first, await self.submit(double, first)]


@program(5, gives=[[2, 3, 4], 9])
@flow(name="asyncio.gather", lint=False)
async def gathering() -> Any:
    found: Any = await asyncio.gather(*[inc(x) for x in (1, 2, 3)])
    return [found, await add(*found)]


async def _chain(x: int) -> int:
    """Add one twice, one call after the other."""
    return await inc(await inc(x))


@program(5, gives=[3, 4], loose=("inc-3", "inc-4"))
@flow(name="tasks side by side", lint=False)
async def side_by_side() -> Any:
    one, two = asyncio.create_task(_chain(1)), asyncio.create_task(_chain(2))
    return [await one, await two]


@program(5, 6, gives=["refused 1", 2])
@flow(name="errors that are awaited", lint=False)
async def erring() -> Any:
    good, bad = inc(1), fail(1)
    found = await asyncio.gather(good, bad, return_exceptions=True)
    return [str(found[1]), found[0]]


@program(
    5, needs=["timers"], late={"stuck": "START_TO_CLOSE"}, gives=["late", 2], loose=("stuck-1",)
)
@flow(name="asyncio.timeout", lint=False)
async def impatient() -> Any:
    try:
        async with asyncio.timeout(0.01):
            await stuck.options(timeout=0.2, raises_on_failure=False)()
    except TimeoutError:
        return ["late", await inc(1)]
    return []


@program(5, gives=[["inc-1", "inc-2"], "inc-3"])
@flow(name="asyncio.wait", lint=False)
async def waiting() -> Any:
    one = inc(1)
    two = inc(one)
    done, _ = await asyncio.wait([asyncio.ensure_future(_named(f)) for f in (one, two)])
    names = sorted([task.result() for task in done])
    return [names, inc(0).call]


async def _named(future: Any) -> str:
    await future
    return str(future.call)


@program(5, 15, gives=[[2, 3], 4])
@flow(name="a group that is awaited")
async def grouped() -> Any:
    found: Any = await nbflow.Group((inc, 1), (inc, 2)).submit()
    return [found, await inc(3)]


# ---------------------------------------------------------------- hooks


class Telling(nbflow.Workflow):
    """Tells of all its hooks."""

    def before_replay(self, context: Any) -> None:
        tell(context.run, "before_replay")

    def after_replay(self, context: Any) -> None:
        tell(context.run, "after_replay")

    def on_completed(self, context: Any) -> None:
        tell(context.run, f"on_completed {context.result} {sorted(context.calls)}")

    def on_failure(self, context: Any) -> None:
        tell(context.run, f"on_failure {context.reason} {context.details}")

    def on_canceled(self, context: Any) -> None:
        tell(context.run, f"on_canceled {context.reason}")

    def after_closed(self, context: Any) -> None:
        tell(context.run, f"after_closed {context.status}")


AROUND = ["before_replay", "after_replay"]


@program(
    21, gives=2, told={"RUN": [*AROUND, "on_completed 2 ['inc-1']", "after_closed completed"]},
)  # fmt: skip
class Completing(Telling):
    name = "hooks of a run that completes"

    def run(self) -> Any:
        return self.submit(inc, 1)


@program(
    21, raises=("nbflow.core.errors.WorkflowFailed", "no stock"),
    told={"RUN": [*AROUND, "on_failure no stock of part 7", "after_closed failed"]},
)  # fmt: skip
class Failing(Telling):
    name = "hooks of a run that fails"

    def run(self) -> Any:
        self.submit(inc, 1).result()
        self.fail("no stock", "of part 7")


@program(
    20, 21, status="cancelled", late={"stuck": ""}, loose=("stuck-1",),
    outside=(Outside("cancel", after="asked stuck-1"),),
    told={"RUN": [*AROUND, "on_canceled the test says so", "after_closed cancelled"]},
)  # fmt: skip
class Stopped(Telling):
    name = "hooks of a run that is cancelled"

    def run(self) -> Any:
        return self.submit(stuck).result()


@program(
    20, 21, gives="went on", outside=(
        Outside("cancel", after="inc-1"), Outside("signal", name="go", value="went on"),
    ),
    told={"RUN": ["asked the test says so"]},
)  # fmt: skip
class Refusing(nbflow.Workflow):
    name = "a run that refuses to be cancelled"

    def run(self) -> Any:
        self.submit(inc, 1).result()
        return self.wait_signal("go").result()

    def should_cancel(self, context: Any) -> bool:
        tell(context.run, f"asked {context.reason}")
        return False


@program(
    21, gives=3,
    told={"RUN": ["on_completed 3"]},
)  # fmt: skip
@flow(
    name="a hook that fails harms nothing",
    on_completed=lambda context: tell(context.run, f"on_completed {context.result}"),
    after_closed=lambda context: 1 / 0,
)
def harmless() -> Any:
    return inc(2)


# ---------------------------------------------------------------- cleaning up


@program(
    20, status="cancelled", late={"stuck": ""}, loose=("stuck-1",),
    outside=(Outside("cancel", after="asked stuck-1"),),
)  # fmt: skip
@flow(name="a cancelled run that cleans up by calls")
def cleaning() -> Any:
    inc(1).result()
    try:
        stuck().result()
    finally:
        double(4).result()


@program(
    20, 5, status="cancelled", late={"stuck": ""}, loose=("stuck-1",),
    outside=(Outside("cancel", after="asked stuck-1"),),
)  # fmt: skip
@flow(name="a cancelled coroutine that cleans up by calls")
async def cleaning_async() -> Any:
    try:
        await stuck()
    except asyncio.CancelledError:
        await double(4)
        raise


@program(
    20, 21, status="cancelled", late={"stuck": ""}, loose=("stuck-1",),
    outside=(Outside("cancel", after="asked stuck-1"),),
)  # fmt: skip
@flow(name="on_canceled cleans up by calls", on_canceled=lambda context: double(4).result())
def cleaning_hook() -> Any:
    return stuck().result()
