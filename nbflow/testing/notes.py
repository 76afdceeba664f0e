"""What every store that notes steps has to do with these notes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from nbflow.core.stepnotes import Mark
from nbflow.store.base import Store
from nbflow.store.marks import Marks
from nbflow.testing.checks import equal

NAMES = ("plain", "a.b", "..", "a/b", "é漢字", "<script>", "line\nline", "%2e", "CON", " ")


class MarksContract:
    """The cases that concern ``store.marks``; a store that has none notes no steps."""

    store: Store

    if TYPE_CHECKING:

        def _reopen(self) -> None: ...

    def _marks(self) -> Marks | None:
        return getattr(self.store, "marks", None)

    def test_steps_that_are_done_are_noted_by_scope(self) -> None:
        """`done` gives what `mark` was given, of that scope only: also when opened anew."""
        marks = self._marks()
        if marks is None:
            return
        wanted = {name: Mark(f"run {name}", 100.5) for name in NAMES}
        for name, mark in wanted.items():
            marks.mark("scope", name, mark)
            marks.mark(name, "step", mark)
        self._reopen()
        marks = self._marks() or marks
        equal(dict(sorted(marks.done("scope").items())), dict(sorted(wanted.items())), "the notes")
        equal(marks.done("another"), {}, "the notes of a scope that has none")
        equal(marks.done(".."), {"step": wanted[".."]}, "the notes of a scope with an odd name")
        equal(marks.scopes(), sorted(["scope", *NAMES]), "the scopes")

    def test_the_latest_note_of_a_step_counts_until_it_is_forgotten(self) -> None:
        """A step that is done again is noted anew; a second `forget` is no error."""
        marks = self._marks()
        if marks is None:
            return
        marks.mark("scope", "a", Mark("first", 1.0))
        marks.mark("scope", "a", Mark("second", 2.0))
        marks.mark("scope", "b", Mark("first", 1.0))
        equal(marks.done("scope")["a"], Mark("second", 2.0), "the note of a step done twice")
        for _ in range(2):
            marks.forget("scope", "a")
            equal(list(marks.done("scope")), ["b"], "the steps that are left")
        marks.forget("scope", "b")
        equal(marks.scopes(), [], "the scopes once all is forgotten")

    def test_threads_may_note_the_same_steps(self) -> None:
        """Whoever is last, each note is whole."""
        marks = self._marks()
        if marks is None:
            return

        def note(run: str) -> None:
            for n in range(10):
                marks.mark("scope", f"step {n}", Mark(run, 1.0))

        threads = [threading.Thread(target=note, args=(f"run {n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = marks.done("scope")
        equal(sorted(found), sorted(f"step {n}" for n in range(10)), "the steps")
        runs = {mark.run for mark in found.values()} | {f"run {n}" for n in range(4)}
        equal(len(runs), 4, "the runs that they are noted for")
