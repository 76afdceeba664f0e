"""Programs on moto's server, for the part of Amazon SWF that it has."""

from __future__ import annotations

import atexit
import threading
import time
import urllib.request
from typing import Any, Final

import boto3
from botocore.config import Config

from nbflow.services.swf import Api, Domain
from tests.differential.swf import OnSwf

PATIENCE: Final = 4.0
"""Seconds that nothing may happen in: no program that moto can run waits for longer."""
_PAUSE: Final = 0.02


_POLLS: Final = {"PollForDecisionTask": "Decision", "PollForActivityTask": "Activity"}


class MotoApi(Api):
    """Asks for no task where there is none: moto holds such a poll for a second, whatever comes."""

    def call(self, operation: str, /, **given: Any) -> Any:
        """See `Api.call`."""
        kind = _POLLS.get(operation)
        if kind is not None:
            where = {"domain": given["domain"], "taskList": given["taskList"]}
            if not super().call(f"CountPending{kind}Tasks", **where)["count"]:
                return {}
        return super().call(operation, **given)


class _Clock:
    """Moto's time is real: who would move it on waits instead, and not for ever."""

    def __init__(self) -> None:
        self._end = time.monotonic() + PATIENCE

    def advance(self, seconds: float) -> None:
        """Let some time pass."""
        assert time.monotonic() < self._end, "nothing happens any more"
        threading.Event().wait(_PAUSE)


_DECISION: Final = "RespondDecisionTaskCompleted was refused: 500"
_ASKED: Final = "RequestCancelWorkflowExecution was refused: 500"
_LIMITS: Final = "nothing happens any more"
LACKS: Final[dict[str, str]] = {
    **dict.fromkeys(
        (  # StartChildWorkflowExecution
            "a child run",
            "children of both shapes",
            "children that take futures and give edges",
            "a child that fails its parent",
            "a child that fails and is caught",
            "equal children are one child",
            "a child that is tried again keeps what succeeded",
            "a resumed parent resumes its child",
            "tags are inherited or one's own",
            "children of children",
            "a cancelled parent cancels its children",
            "an abandoned child outlives its parent",
            "parents and children tell each other",
            "signals to children that are not there yet",
            "a child that goes on as new",
            # SignalExternalWorkflowExecution
            "signals to oneself, before and after",
            "a signal as an argument and as a result",
            "what is known of a signal",
            # ContinueAsNewWorkflowExecution
            "eleven runs, one after the other",
            "a budget of events",
            "signals that were not taken go along",
            "steps that were done in an earlier run",
            # RequestCancelActivityTask
            "asyncio.timeout",
        ),
        _DECISION,
    ),
    **dict.fromkeys(
        (  # RequestCancelWorkflowExecution
            "hooks of a run that is cancelled",
            "a run that refuses to be cancelled",
            "a cancelled run that cleans up by calls",
            "a cancelled coroutine that cleans up by calls",
            "on_canceled cleans up by calls",
            "a run that is cancelled",
            "a run that is cancelled while it sleeps",
        ),
        _ASKED,
    ),
    **dict.fromkeys(
        (  # the time-outs of activities but for heartbeats
            "a wait that takes too long",
            "an attempt that takes too long",
            "an attempt that is not over in time",
            "a time limit and a retry",
        ),
        _LIMITS,
    ),
}
"""Programs that moto cannot run, and what comes of them there for want of what is named."""


class OnMoto(OnSwf):
    """Moto's server over a socket; each decision begins with the whole history."""

    def __init__(self) -> None:
        super().__init__("moto", keep=0)
        self._url = ""

    def _site(self) -> tuple[Any, Domain]:
        if not self._url:
            self._url = _served()
        # One run that it cannot cope with would spoil the rest.
        reset = urllib.request.Request(f"{self._url}/moto-api/reset", method="POST")
        urllib.request.urlopen(reset).read()
        # It knows which service is meant by the signature, so there has to be one.
        keys = {"aws_access_key_id": "nobody", "aws_secret_access_key": "nothing"}
        once = Config(retries={"total_max_attempts": 1})
        options = {"region_name": "us-east-1", "endpoint_url": self._url, "config": once}
        api = MotoApi(boto3.client("swf", **options, **keys))
        domain = Domain(api=api, name=f"moto-{next(self._numbers)}", retention=1)
        return _Clock(), domain.save()


def _served() -> str:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    atexit.register(server.stop)
    host, port = server.get_host_and_port()
    return f"http://{host}:{port}"
