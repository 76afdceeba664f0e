"""Says what runs lose on pools that are not nbflow's, when such a pool is first used."""

from __future__ import annotations

import concurrent.futures as cf
import contextlib
import warnings
from typing import Final
from weakref import WeakSet

from nbflow.core.callers import outside

_APART: Final = "heartbeats are not heard, and what they print comes with their answers"
_DEATHS: Final = {
    "concurrent": "a worker that dies breaks the pool, and all its calls fail",
    "loky": "a worker that dies breaks the pool, and all its calls fail",
    "ipyparallel": "an engine that dies fails the call that it ran, and is not replaced",
    "mpi4py": "a process that dies ends all of MPI's, this one included, and the run is to be "
    "resumed",
    "distributed": "Dask runs the calls of a worker that dies again by itself, beside the log; "
    ".on(client) does not",
}
"""By package: what becomes of it if a worker dies."""
_said: WeakSet[cf.Executor] = WeakSet()


def losses(pool: cf.Executor) -> str:
    """Say what nbflow cannot do on somebody else's pool.

    Args:
        pool: The pool.

    Returns:
        A sentence without its full stop.

    Example:
        >>> losses(concurrent.futures.ProcessPoolExecutor())[:46]
        'calls on ProcessPoolExecutor cannot be stopped'
    """
    stopped = (
        f"calls on {type(pool).__name__} cannot be stopped once they run: at a time limit, or "
        "when they are cancelled, they are left behind and keep their workers until they return"
    )
    package = type(pool).__module__.partition(".")[0]
    death = _DEATHS.get(package, "what becomes of a worker that dies is the pool's affair")
    return f"{stopped}; {_APART}; {death}"


def tell_losses(pool: cf.Executor) -> None:
    """Warn of what is lost, once for each pool, where it is handed over.

    Not of threads of this process: what is said of them holds for nbflow's own as well.
    """
    if isinstance(pool, cf.ThreadPoolExecutor):
        return
    with contextlib.suppress(TypeError):  # one that no weak reference can be made of says it again
        if pool in _said:
            return
        _said.add(pool)
    hint = '. on="processes" has none of this; warnings.filterwarnings can turn this off'
    warnings.warn(losses(pool) + hint, UserWarning, stacklevel=outside())
