"""Waiting for a signal."""

from __future__ import annotations

from nbflow.compat.simpleflow.base import Submittable


class WaitForSignal(Submittable):
    """Submitted, it gives a future that is finished once there is a signal of that name."""

    def __init__(self, signal_name: str) -> None:
        self.signal_name = signal_name
