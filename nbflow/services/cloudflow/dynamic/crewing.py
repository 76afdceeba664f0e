"""Which processes a run has on this machine, by how it was asked for."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

from nbflow.services.cloudflow.dynamic.crew import Crew
from nbflow.services.cloudflow.dynamic.names import slug
from nbflow.services.cloudflow.dynamic.settings import Options


def crew_of(options: Options, name: str, endpoint: str | None, values: str, pace: float) -> Crew:
    """Give the crew of a run.

    What is of one run alone can be ended with it, and nobody else takes anything of it: unless a
    queue is named, the run has two of its own.

    Args:
        options: How it was asked for.
        name: What it is called.
        endpoint: Where the service is.
        values: Where large values are.
        pace: Seconds between two looks at how things stand.
    """
    reports = 0.0 if options.simulate else 2.0
    return Crew(
        queue=options.queue or f"{slug(name)[:80]}-{secrets.token_hex(4)}",
        values=values,
        endpoint=endpoint,
        region=options.region,
        mns=options.mns,
        namespace=options.namespace,
        pace=pace,
        reports=reports if options.reports is None else options.reports,
        lost_after=options.lost_after,
        workers=options.processes,
        path=tuple(entry or str(Path.cwd()) for entry in sys.path),
    )
