"""A workflow with everything in it, whose activities never give the same value twice.

What an activity gives is random bytes and a digest of what it was given. So two executions of a
call can be told apart for ever, and whoever computed with a value can be found out.
"""

from __future__ import annotations

import os
from typing import Any

import nbflow
from tests.crash.ledger import Ledger, short
from tests.crash.points import NOWHERE, Points

LARGE = 100_000
"""More than a value in the log may have: it becomes a blob."""
MANY = 1000
points: Points = NOWHERE
ledger: Any = None
"""Where effects are noted; a worker process opens the one that its environment names."""


def made(inputs: tuple[Any, ...], size: int = 12) -> bytes:
    """Have an effect, and give a new value."""
    told = nbflow.context()
    points.at("effect:before")
    value = os.urandom(size) + short(inputs).encode()
    effect(told.call, told.attempt, told.idempotency_key, short(value))
    points.at("effect:after")
    return value


def effect(*what: Any) -> None:
    """Do something that can be seen from outside."""
    global ledger  # noqa: PLW0603 - one of each process
    if ledger is None:
        ledger = Ledger(os.environ["NBFLOW_TEST_LEDGER"])
    ledger.write("effect", *what)


def origin(value: Any) -> str:
    """Give the digest of what a value was made of."""
    return binary(value)[-16:].decode()


def binary(value: Any) -> bytes:
    """Give a value as it was made: `part` turns it into text."""
    return bytes.fromhex(value) if isinstance(value, str) else value


@nbflow.activity
def source(name):
    return made((name,))


@nbflow.activity
def left(value):
    return made((value,))


@nbflow.activity(timeout=30)
def right(value):
    return made((value,))


@nbflow.activity
def join(one, other):
    return made((one, other))


@nbflow.activity
def part(what):
    """Give text, which the log holds as it is."""
    return made((what,)).hex()


@nbflow.activity
def large(value):
    return made((value,), LARGE)


@nbflow.activity(retry=nbflow.Retry(attempts=3, wait=0.002, jitter=0))
def shaky(value):
    found = made((value,))
    if nbflow.context().attempt < 3:
        raise OSError("not yet")
    return found


@nbflow.activity(once=True)
def pay(what):
    return made((what,))


@nbflow.activity(cache=True)
def kept(what):
    return made((what,))


def see(future):
    """Note what the workflow's code gets to see."""
    value = future.result()
    ledger.write("seen", future.call, short(value))
    return value


def paid(future):
    """Look at a call that happens at most once."""
    try:
        return see(future)
    except nbflow.ActivityInterrupted:
        ledger.write("seen", future.call, "interrupted")
        return b"interrupted"


@nbflow.workflow
def everything():
    top = source("top")
    foot = join(left(top), right(top))
    weight = part(large(top))
    rent = pay("rent")
    again = shaky(top)
    twice = [kept("same"), kept("same")]
    link = see(source("chain"))
    for _ in range(2):
        link = see(left(link))
    parts = [see(f) for f in nbflow.as_completed([part(n) for n in range(3)])]
    done, _ = nbflow.wait([part("a"), part("b")], "FIRST_COMPLETED", timeout=30)
    parts.append(see(part(see(done[0]))))
    rest = [see(f) for f in (foot, weight, again, *twice)]
    return short([link, parts, rest, paid(rent), paid(pay(link))])


@nbflow.workflow
def many():
    """Ask for a thousand calls at once, and add them up by as many."""
    firsts = [part(n) for n in range(MANY // 2)]
    return short([f.result() for f in [left(first) for first in firsts]])


FLOWS = {"everything": everything, "many": many}
CALLS = {
    *(f"source-{n}" for n in (1, 2)),
    *(f"left-{n}" for n in (1, 2, 3)),
    *(f"part-{n}" for n in range(1, 8)),
    *("right-1", "join-1", "large-1", "shaky-1", "pay-1", "pay-2", "kept-1", "kept-2"),
}
"""What `everything` asks for."""
ONCE = {"pay-1", "pay-2"}
CACHED = {"kept-1", "kept-2"}
