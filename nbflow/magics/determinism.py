"""What a notebook says of workflow code that may not be resumed as it began."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbflow.core import lint, place
from nbflow.core.lint import Finding
from nbflow.magics.notices import say
from nbflow.viz.wording import clean

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_SHOWN = 8


class Determinism:
    """Tells the core how cells are called, and prints what it finds in workflows."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell

    def load(self) -> None:
        """Begin."""
        place.namers.append(self.cell)
        lint.reporters.append(self.tell)

    def unload(self) -> None:
        """Leave warnings to Python again."""
        place.namers.remove(self.cell)
        lint.reporters.remove(self.tell)

    def cell(self, file: str) -> str:
        """Give ``Cell In[3]`` for the file name of a cell, or ""."""
        known: Any = self._shell.compile.format_code_name(file)
        return "" if known is None else " ".join(known)

    def tell(self, name: str, findings: list[Finding]) -> None:
        """Print a line a finding."""
        for found in findings[:_SHOWN]:
            say(clean(f"{found.where}: {found}"))
        if len(findings) > _SHOWN:
            say(f"and {len(findings) - _SHOWN} more in workflow {clean(name)}")
