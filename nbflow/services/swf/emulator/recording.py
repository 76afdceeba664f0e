"""An emulator that can be ended and started again: what was asked of it is kept in a file.

The machine gives the same answers to the same requests at the same times, so the requests are all
there is to keep. A line is written before its answer leaves; one that was cut off by the end of
the process was not answered, and is dropped.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
from pathlib import Path
from typing import Any, Final, TextIO

from nbflow.core.errors import NbflowError
from nbflow.services.swf.emulator.faults import Fault
from nbflow.services.swf.emulator.limits import Limits
from nbflow.services.swf.emulator.machine import POLLS, Machine
from nbflow.services.swf.shapes import Data

_log = logging.getLogger(__name__)
HELD: Final = "another emulator has"
"""What is said of a file that is in use, before its name."""
_LOOKS: Final = ("Describe", "List", "Count", "Get")
"""What the operations begin with that change nothing."""


class Recorded(Machine):
    """A machine whose requests are kept in a file, from which it goes on.

    Args:
        path: The file. It is made if it is not there.
        limits: See `Machine`.

    Raises:
        NbflowError: Another emulator has the file, or it is not one of these.
    """

    def __init__(self, path: Path, limits: Limits | None = None) -> None:
        self._file: TextIO | None = None
        file = _locked(path)
        try:
            text = file.read()
            whole = text[: text.rfind("\n") + 1]
            head, *lines = whole.splitlines() or [_head()]
            super().__init__(limits, seed=_seed(head, path))
            self._replay(lines, path)
        except BaseException:
            file.close()
            raise
        file.seek(len(whole.encode()))
        file.truncate()
        if not whole:
            file.write(head + "\n")
            file.flush()
        self._file = file

    def close(self) -> None:
        """Let go of the file: another emulator may have it."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def call(self, operation: str, given: Data, now: float) -> Data | None:
        """See `Machine.call`."""
        answer = super().call(operation, given, now)
        taken = operation not in POLLS or (answer or {}).get("taskToken")
        if self._file is not None and taken and not operation.startswith(_LOOKS):
            self._file.write(json.dumps([now, operation, given]) + "\n")
            self._file.flush()
        return answer

    def _replay(self, lines: list[str], path: Path) -> None:
        """Do again what was asked."""
        for number, line in enumerate(lines, 2):
            try:
                asked: Any = json.loads(line)
                now, operation, given = asked
                self.call(operation, given, now)
            except Fault as fault:
                _log.warning("%s, line %s: refused when done again: %s", path, number, fault.body)
            except (ValueError, TypeError, KeyError) as error:
                raise _broken(path, number, error) from None


def _head() -> str:
    return json.dumps({"nbflow": "emulator", "seed": secrets.token_hex(16)})


def _seed(head: str, path: Path) -> str:
    try:
        found: Any = json.loads(head)
        return str(found["seed"])
    except (ValueError, TypeError, KeyError) as error:
        raise _broken(path, 1, error) from None


def _broken(path: Path, number: int, error: Exception) -> NbflowError:
    message = f"{path}, line {number}: that is no record of an emulator ({error})"
    return NbflowError(f"{message}. Nothing was changed: move the file away to begin anew")


def _locked(path: Path) -> TextIO:
    """Open a file that no other process has; the lock goes with the process."""
    import fcntl  # noqa: PLC0415 - not on every system

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise NbflowError(f"{HELD} {path}") from None
    return file
