"""What runs are made of on CloudFlow: three flows, and how executions of them are called.

A name is what makes a request harmless that is made twice: the service starts no second execution
of a name. So attempts are called after what they try, parts of logs after the number of their
first event, and letters after themselves.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from typing import Any, Final

from nbflow.services.cloudflow.client.errors import AlreadyExists, DoesNotExist, Invalid

NAMESPACE: Final = "nbflow"
"""What the names of the flows begin with, unless said otherwise."""
MOST: Final = 60_000
"""Bytes of an input or output; the service takes 65,536 with what it puts around them."""
_OURS: Final = "Runs of nbflow"
_LONGEST_CALL: Final = 40
_CLEAN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,69}")
_OTHER: Final = re.compile(r"[^A-Za-z0-9_-]")

_KEPT: Final = """\
Type: StateMachine
Name: {name}
SpecVersion: v1
StartAt: kept
States:
  - Type: Pass
    Name: kept
    OutputConstructor:
      kept: true
    End: true
"""
_CALLED: Final = """\
Type: StateMachine
Name: {name}
SpecVersion: v1
StartAt: work
States:
  - Type: Task
    Name: work
    Action: MNS:SendMessage
    TaskMode: WaitForCustomCallback
    Timeout: 0
    Parameters:
      resourceArn.$: $Input.queue
      message:
        token.$: $Context.Current.TaskToken
        execution.$: $Context.Execution.Name
        flow: {name}
        work.$: $Input.work
    End: true
"""


class Flows:
    """The three flows of a namespace.

    Attributes:
        run: Of which each run has an execution, that waits for its end.
        activity: Of which attempts have executions, one each, or one for a batch of short ones.
        log: Of which a part of a log, and a letter, is an execution: it is over at once.
    """

    def __init__(self, namespace: str = NAMESPACE) -> None:
        self.namespace = namespace
        self.run = f"{namespace}-run"
        self.activity = f"{namespace}-activity"
        self.log = f"{namespace}-log"

    def ensure(self, client: Any, role: str | None = None) -> None:
        """Have the flows there, as this version needs them.

        Args:
            client: A `CloudFlow`.
            role: The role by which they send messages, as ``acs:ram::1234:role/nbflow``.

        Raises:
            CloudFlowError: The service cannot be had, or refuses.
        """
        for name, text in ((self.log, _KEPT), (self.activity, _CALLED), (self.run, _CALLED)):
            _ensure(client, name, text.format(name=name), role)


def _ensure(client: Any, name: str, text: str, role: str | None) -> None:
    more = {"role_arn": role} if role else {}
    try:
        found = client.describe_flow(name)
    except DoesNotExist:
        with contextlib.suppress(AlreadyExists):  # somebody else was quicker
            client.create_flow(name, text, _OURS, **more)
        return
    if found.description != _OURS:
        raise Invalid(f"flow {name} is not nbflow's: choose a namespace=. Nothing was changed")
    if found.definition != text:
        client.update_flow(name, definition=text)


def slug(run: str) -> str:
    """Give what the names of a run's executions begin with.

    Example:
        >>> slug("revenue-1f2e"), slug("flow/part-1")[:12]
        ('revenue-1f2e', 'flow_part-1-')
    """
    if _CLEAN.fullmatch(run):
        return run
    mark = hashlib.blake2b(run.encode(), digest_size=8).hexdigest()
    return f"{_begun(_OTHER.sub('_', run))[:50]}-{mark}"


def attempt_name(root: str, run: str, call: str, attempt: int, epoch: int = 0) -> str:
    """Give the name of the execution of an attempt, the same whoever asks for it.

    Args:
        root: The run that is an execution of the service.
        run: That run, or a child of it.
        call: The call.
        attempt: Which attempt, from 1.
        epoch: How often the run has gone on after its end: attempts are counted anew then.
    """
    which = f"{attempt}r{epoch}" if epoch else f"{attempt}"
    plain = run == root and not _OTHER.search(call)
    if plain and len(call) <= _LONGEST_CALL:
        return f"{slug(root)}--{call}-{which}"
    mark = hashlib.blake2b(f"{run}\0{call}".encode(), digest_size=8).hexdigest()
    return f"{slug(root)}--{_OTHER.sub('_', call)[:20]}-{mark}-{which}"


def part_name(run: str, first: int) -> str:
    """Give the name of the part of a run's log that begins with an event."""
    return f"{slug(run)}-e{first}"


def letter_prefix(run: str) -> str:
    """Give what the names of letters to a run begin with."""
    return f"{slug(run)}-m"


def letter_name(run: str, letter: str) -> str:
    """Give the name of a letter, by what the letter is called."""
    mark = hashlib.blake2b(letter.encode(), digest_size=10).hexdigest()
    return f"{letter_prefix(run)}-{mark}"


def cancel_name(run: str) -> str:
    """Give the name of the letter by which a run is asked to end."""
    return f"{letter_prefix(run)}c"


def order_name(run: str, call: str) -> str:
    """Give the name of the letter by which one call of a run is given up."""
    mark = hashlib.blake2b(call.encode(), digest_size=10).hexdigest()
    return f"{letter_prefix(run)}x-{mark}"


def _begun(name: str) -> str:
    return name if name[:1].isalpha() or name.startswith("_") else f"r_{name}"
