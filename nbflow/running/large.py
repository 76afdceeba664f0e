"""Says what of the notebook a run takes along that is large."""

from __future__ import annotations

import warnings

from nbflow.core.callers import outside
from nbflow.core.capture import Captured
from nbflow.engine.sizes import LARGE_BYTES, megabytes


def warn_of_large(frozen: Captured) -> None:
    """Warn, where the run is started, of globals above `LARGE_BYTES` that are copied for it.

    Args:
        frozen: What the run works with.
    """
    found = {name: size for name, size in frozen.large.items() if size > LARGE_BYTES}
    if not found:
        return
    names = ", ".join(f"{name} ({megabytes(size)})" for name, size in found.items())
    warnings.warn(
        f"each run of {frozen.definition.name} copies {names} of the notebook: hand it over as an "
        "argument, or have an activity read it",
        RuntimeWarning,
        stacklevel=outside(),
    )
