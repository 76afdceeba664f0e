"""The magics themselves: what IPython calls, and the help it shows."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from IPython.core.magic import (
    Magics,
    cell_magic,
    line_magic,
    magics_class,
    no_var_expand,
    output_can_be_silenced,
)

from nbflow.magics import doing, verbs
from nbflow.magics.define import ACTIVITY, WORKFLOW, Definitions
from nbflow.magics.waiting import Waiter

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


@magics_class
class NbflowMagics(Magics):
    """``%%activity``, ``%%workflow`` and ``%nbflow``."""

    def __init__(self, shell: InteractiveShell, waiter: Waiter) -> None:
        super().__init__(shell)
        self.definitions = Definitions(shell)
        self.here = doing.Here(shell, waiter)

    @no_var_expand
    @cell_magic
    def activity(self, line: str, cell: str) -> None:
        """Make an activity of the cell: its first line is a signature, its body a function's.

        The last expression is the result, unless there is a ``return``. Names from the notebook
        can be used as in any function. A ``;`` at the end silences the line that tells of it.

        ::

            %%activity fetch(region: str, rows: int = 5) -> list --retry 3 --timeout 60
            [(region, amount) for amount in range(rows)]

            %%activity get(url: str) --executor asyncio
            await client.get(url)

            %%activity
            def double(x: int) -> int:
                return 2 * x

        """
        self.definitions.activity(line, cell)

    @no_var_expand
    @output_can_be_silenced
    @cell_magic
    def workflow(self, line: str, cell: str) -> Any:
        """Make a workflow of the cell: its first line is a signature, its body a function's.

        In it, calling an activity gives a Future. Futures may be handed on to other calls; write
        ``future.result()`` where the code needs the value. The last expression is the result.

        ::

            %%workflow revenue(regions: list[str], rate: float = RATE) -> dict
            {r: convert(fetch(r), rate) for r in regions}

            %%workflow revenue(regions: list[str]) --run --args '{"regions": ["eu"]}' -o run
            {r: fetch(r) for r in regions}

            %%workflow nightly(days: int = 7) --run --on processes --max-workers 4 --wait
            [load(day) for day in range(days)]

        """
        wanted = self.definitions.workflow(line, cell)
        if wanted is None:
            return None
        flags, asked = wanted
        return doing.launch(self.here, asked, flags)

    @no_var_expand
    @output_can_be_silenced
    @line_magic
    def nbflow(self, line: str) -> Any:
        """Act on runs.

        ::

            %nbflow run revenue(["eu", "us"]) --on processes -o run
            %nbflow wait run --timeout 30
            profile = %nbflow profile run

        """
        return verbs.do(self.here, line)


def _document() -> None:
    """Have ``?`` show the flags and the verbs below the examples."""
    for magic, parser in ((NbflowMagics.activity, ACTIVITY), (NbflowMagics.workflow, WORKFLOW)):
        magic.__doc__ = f"{inspect.getdoc(magic)}\n\n{parser.format_help()}"
    own = inspect.getdoc(NbflowMagics.nbflow)
    NbflowMagics.nbflow.__doc__ = f"{own}\n\n{verbs.help_text()}"


_document()
