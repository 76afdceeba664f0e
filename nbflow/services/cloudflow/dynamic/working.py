"""``python -m nbflow.services.cloudflow.dynamic.working``: a worker, told what it needs as JSON."""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import NoReturn

from nbflow.services.cloudflow.dynamic.crew import Crew, end_with_parent
from nbflow.services.cloudflow.dynamic.worker import Worker


def work(crew: Crew) -> None:
    """Be a worker until asked to end (SIGTERM): then what is under way is finished first."""
    worker = Worker(crew.client(), crew.store(), crew.work(), abandon=_die, hidden=crew.lost_after)

    def drain(*_: object) -> None:
        worker.stop()
        if not worker.busy.is_set():
            os._exit(0)

    signal.signal(signal.SIGTERM, drain)
    worker.run()


def _die() -> NoReturn:
    """End this process and what the activity has started: another one takes its place."""
    os.killpg(0, signal.SIGKILL)
    os._exit(1)  # the group is that of this process, so this is not reached


def main(argv: list[str]) -> None:
    """Run the command."""
    end_with_parent()
    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s", level=logging.WARNING)
    work(Crew.read(argv[1]))


if __name__ == "__main__":
    main(sys.argv)
