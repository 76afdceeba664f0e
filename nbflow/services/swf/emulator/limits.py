"""The service's quotas, each of which can be set to something else."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of everything there may be.

    Attributes:
        poll: Seconds that a poll is held while there is nothing to give.
        request: Bytes of a request.
        decisions: Decisions of one response. The service says "varies"; its own client library
            keeps to 100.
        events: Events of an execution. One that reaches them is terminated.
        activities: Open activities of an execution.
        timers: Open timers of an execution.
        children: Open children of an execution.
        functions: Open Lambda functions of an execution.
        executions: Open executions of a domain.
        domains: Domains.
        types: Types of a kind in a domain.
        pollers: Polls of a task list that are held at the same time.
        tags: Tags of a resource.
        execution_seconds: What an execution may be allowed to take.
        retention_days: How long a domain may keep closed executions.
    """

    poll: float = 60.0
    request: int = 1_000_000
    decisions: int = 100
    events: int = 25_000
    activities: int = 1_000
    timers: int = 1_000
    children: int = 1_000
    functions: int = 1_000
    executions: int = 100_000
    domains: int = 100
    types: int = 10_000
    pollers: int = 1_000
    tags: int = 50
    execution_seconds: int = 31_536_000
    retention_days: int = 90
