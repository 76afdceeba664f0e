"""Waiting for an execution, and reading list after list: what to ask, but not how it is sent."""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from dataclasses import replace
from typing import Any, Final, TypeAlias, TypeVar, cast

from nbflow.services.cloudflow.client.answers import Execution
from nbflow.services.cloudflow.client.base import Listing, Page
from nbflow.services.cloudflow.client.errors import Invalid, NotOver
from nbflow.services.cloudflow.client.requests import DescribeExecution

T = TypeVar("T")

LONGEST: Final = 60
"""Seconds for which the service holds an answer at most."""
_PAUSE: Final = 1.0

Waiting: TypeAlias = Generator["DescribeExecution | float", Any, Execution]


def waiting(flow_name: str, execution_name: str, timeout: float | None) -> Waiting:
    """Ask until an execution is over.

    It yields requests, whose answers are sent in, and seconds to let pass.

    Raises:
        NotOver: It is not over in time.
    """
    begun = time.monotonic()
    while True:
        left = math.inf if timeout is None else timeout - (time.monotonic() - begun)
        held = math.ceil(max(0.0, min(float(LONGEST), left)))
        asked = time.monotonic()
        execution = yield DescribeExecution(flow_name, execution_name, held)
        if execution.over:
            return cast("Execution", execution)
        now = time.monotonic()
        if timeout is not None and now - begun >= timeout:
            raise NotOver(
                f"execution {execution_name} of flow {flow_name} is not over after {timeout:g} s "
                f"({execution.status}); it goes on"
            )
        if now - asked < min(_PAUSE, held):
            # The service did not hold the answer: it must not be asked as fast as it answers.
            yield _PAUSE


def following(listing: Listing[T], page: Page[T]) -> Listing[T] | None:
    """Give the request for the page after one, None with the last."""
    if not page.next_token:
        return None
    if page.next_token == getattr(listing, "next_token", None):
        raise Invalid(f"{type(listing).__name__} gives the same page again and again")
    return cast("Listing[T]", replace(cast("Any", listing), next_token=page.next_token))
