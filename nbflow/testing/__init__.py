"""Tools for testing workflows, and contracts for authors of executors, stores and services.

An executor, a store or a service is as good as nbflow's own if it passes the contract that those
pass. With pytest, that is a subclass in a test file::

    from nbflow.testing import ExecutorContract

    class TestMyExecutor(ExecutorContract):
        def make(self):
            return MyExecutor(max_workers=2)

without it, `check_executor`, `check_store` and `check_service` do the same.

For workflows: `FakeClock` has a day pass in no time; `HistoryBuilder` writes the history of a run
by hand and says what the workflow would do next; `FaultTable` makes activities fail as a table
says, and counts how often they were really run; `Gate` holds activities up until a test lets them
go on. The last two work across processes.
"""

from nbflow.testing.clock import FakeClock
from nbflow.testing.collector import Collector, make_job
from nbflow.testing.contracts import ContractBroken, check_executor, check_service, check_store
from nbflow.testing.executors import ExecutorContract
from nbflow.testing.faults import Die, FaultTable, Gate, Hang
from nbflow.testing.history import HistoryBuilder, HistoryGap
from nbflow.testing.services import ServiceContract
from nbflow.testing.stores import StoreContract

__all__ = [
    "Collector",
    "ContractBroken",
    "Die",
    "ExecutorContract",
    "FakeClock",
    "FaultTable",
    "Gate",
    "Hang",
    "HistoryBuilder",
    "HistoryGap",
    "ServiceContract",
    "StoreContract",
    "check_executor",
    "check_service",
    "check_store",
    "make_job",
]
