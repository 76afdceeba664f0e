"""One process of a crew: a decider or a worker, from its fork to its end."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import sys
import threading
from typing import Any, Final, Literal, NoReturn

from nbflow.services.swf.api import Api
from nbflow.services.swf.crew import Crew, CrewDecider, CrewWorker

Role = Literal["decider", "worker"]
"""What a process of a crew does."""
_log = logging.getLogger(__name__)
_FAULTY: Final = 70
ENDS: Final = (signal.SIGTERM, signal.SIGINT)
"""What asks a process to end. A new one is to be forked with these held back."""


class Teller:
    """Tells the supervisor things, a line of JSON each.

    Args:
        pipe: Where to write.
    """

    def __init__(self, pipe: int) -> None:
        self._pipe, self._lock = pipe, threading.Lock()
        self._latest = b""

    def __call__(self, said: dict[str, Any]) -> None:
        """Tell it; what was just told is not told again."""
        line = json.dumps(said).encode() + b"\n"
        with self._lock, contextlib.suppress(OSError):
            if line != self._latest:
                self._latest = line
                os.write(self._pipe, line)


def be(role: Role, crew: Crew, api: Api, tells: int, lifeline: int) -> NoReturn:
    """Be a process of a crew, until it is asked to end.

    Args:
        role: Which one.
        crew: Of which crew.
        api: What to speak to the service by; nobody has spoken by it.
        tells: The pipe to the supervisor.
        lifeline: A pipe that is at its end when the supervisor is gone.
    """
    code = _FAULTY
    try:
        os.setpgid(0, 0)  # what an activity starts ends with its worker
        quiet = os.open(os.devnull, os.O_RDONLY)
        os.dup2(quiet, 0)
        threading.Thread(target=_die_with, args=(lifeline,), daemon=True).start()
        teller = Teller(tells)
        actor = (CrewDecider if role == "decider" else CrewWorker)(crew, teller, api)
        _drain_on_request(actor, crew)
        teller({"ready": True})
        actor.run()
        code = 0
    except BaseException as error:  # noqa: BLE001 - the stack of the supervisor is below this
        _log.exception("a %s of %s has ended", role, crew.task_list)
        with contextlib.suppress(OSError):
            said = f"{type(error).__name__}: {error}"
            os.write(tells, json.dumps({"fatal": said}).encode() + b"\n")
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _die_with(lifeline: int) -> None:
    """End, with everything that was started here, when the supervisor is gone."""
    while True:
        try:
            if not os.read(lifeline, 1):
                break
        except InterruptedError:
            continue
    os.killpg(0, signal.SIGKILL)


def _drain_on_request(actor: CrewDecider | CrewWorker, crew: Crew) -> None:
    """On SIGTERM take nothing new, finish what is under way, and end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor hears of it, and asks to end

    def drain(*_: object) -> None:
        actor.stop()
        if crew.private and not actor.busy.is_set():
            os._exit(0)

    signal.signal(signal.SIGTERM, drain)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
