"""When a cell waits for the runs that it started.

Where somebody is looking, it never does: the cell ends at once, and the panel lives on. Where
nobody is (papermill, nbconvert, ``NBFLOW_WAIT=1``), the cell ends when its runs have: their
pictures are in the notebook, and a run whose failure no code has looked at fails the cell.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from IPython.display import display

from nbflow.magics.failures import attach_report
from nbflow.running.run import Run
from nbflow.running.watching import Interrupt, goes_on
from nbflow.viz.show import unattended

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionResult, InteractiveShell


class Waiter:
    """Follows what the cells of a notebook do with runs.

    Attributes:
        latest: The run that was started last.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self.latest: Run[Any] | None = None
        self._shell = shell
        self._open: list[Run[Any]] = []
        self._shown: set[str] = set()
        self._looked: set[str] = set()

    # ------------------------------------------------------------ Watcher

    def started(self, run: Run[Any], /) -> None:
        """Note a run that a cell starts, to be waited for where nobody is looking."""
        if threading.current_thread() is not threading.main_thread():
            return  # an activity starts it, and waits for it if it likes
        self.latest = run
        self._looked.discard(run.id)
        if unattended(getattr(self._shell, "kernel", None)):
            self._open.append(run)

    def shown(self, run: Run[Any], /) -> None:
        """Note that this cell shows a run already."""
        self._shown.add(run.id)
        if any(other.id == run.id for other in self._open):
            run.wait()  # nobody is looking, so what is shown shall be the end of it

    def failed(self, run: Run[Any], error: BaseException, /) -> None:
        """Note that code looks at a run's error, and have it shown well if it gets out."""
        self._looked.add(run.id)
        attach_report(self._shell, run, error)

    def interrupted(self, run: Run[Any], interrupt: Interrupt, /) -> None:
        """Have it said on one line that only the waiting has stopped, if it gets out.

        To write a whole traceback takes longer than all the rest of what the stop button does.
        """
        lines = [f"{type(interrupt).__name__}: {goes_on(run)}"]
        interrupt.__dict__["_render_traceback_"] = lambda: lines

    # ------------------------------------------------------------ at the end of a cell

    def release(self, run: Run[Any]) -> None:
        """Do not wait for a run at the end of this cell."""
        self._open = [other for other in self._open if other.id != run.id]

    def end_of_cell(self, result: ExecutionResult | None = None) -> None:
        """Wait for the runs that this cell has started, show them, and fail it if they did."""
        runs, self._open = self._open, []
        for run in runs:
            if result is None or not result.success:
                self._leave(run)
            else:
                self._finish(run, result)
        self._shown.clear()

    def _leave(self, run: Run[Any]) -> None:
        """Show a run of a cell that has failed anyhow: its failure shall not wait."""
        if run.done() and run.id not in self._shown:
            display(run)  # type: ignore[no-untyped-call]

    def _finish(self, run: Run[Any], result: ExecutionResult) -> None:
        try:
            run.wait()
        except KeyboardInterrupt as interrupt:
            self._fail(result, interrupt)
            return
        if run.id not in self._shown:
            display(run)  # type: ignore[no-untyped-call]
        error = None if run.id in self._looked else run.exception()
        if error is not None:
            self._fail(result, error)

    def _fail(self, result: ExecutionResult, error: BaseException) -> None:
        """Give the cell the outcome that it would have if its own code had raised this."""
        result.error_in_exec = error
        self._shell.last_execution_succeeded = False
        self._shell.showtraceback((type(error), error, error.__traceback__))
