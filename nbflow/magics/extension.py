"""All that ``%load_ext nbflow`` adds to a shell, and how it is taken away."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import nbflow
from nbflow.magics import completion, doing, stopped
from nbflow.magics.determinism import Determinism
from nbflow.magics.magics import NbflowMagics
from nbflow.magics.notices import say
from nbflow.magics.waiting import Waiter
from nbflow.running.watching import watchers

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


class Extension:
    """What is added: the magics, the waiter, the completions."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._waiter = Waiter(shell)
        self._magics = NbflowMagics(shell, self._waiter)
        self._matcher = completion.matcher(shell)
        self._determinism = Determinism(shell)
        self._note = partial(stopped.note, shell)

    def load(self) -> None:
        """Add it all, and say so on one line."""
        shell = self._shell
        shell.register_magics(self._magics)
        watchers.append(self._waiter)
        self._determinism.load()
        shell.events.register("post_run_cell", self._waiter.end_of_cell)
        shell.events.register("post_run_cell", self._note)
        if shell.Completer is not None:
            shell.Completer.custom_matchers.append(self._matcher)
        say(
            f"nbflow {nbflow.__version__} · runs on {doing.place_text()} · "
            f"logs in {doing.store_text()} · %nbflow? for help"
        )

    def unload(self) -> None:
        """Take it all away."""
        shell = self._shell
        for kind, names in self._magics.magics.items():
            for name in names:
                shell.magics_manager.magics[kind].pop(name, None)
        shell.magics_manager.registry.pop(type(self._magics).__name__, None)
        watchers.remove(self._waiter)
        self._determinism.unload()
        shell.events.unregister("post_run_cell", self._waiter.end_of_cell)
        shell.events.unregister("post_run_cell", self._note)
        if self._matcher in getattr(shell.Completer, "custom_matchers", ()):
            shell.Completer.custom_matchers.remove(self._matcher)
