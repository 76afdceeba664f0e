"""What is known here of the executions that were started from here."""

from __future__ import annotations

from pathlib import Path

from nbflow.services.notes import Notes, RunNote


class ExecutionNotes(Notes):
    """The notes of executions, whose ids are ``domain/workflow id/run id``.

    Args:
        directory: Where they are. It is made when the first one is written.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, before=1)

    def find(self, text: str) -> list[RunNote]:
        """See `Notes.find`. Of several executions of one workflow id the latest is meant."""
        latest: dict[str, RunNote] = {}
        for note in super().find(text):
            latest.setdefault(note.run.rpartition("/")[0], note)
        same = [latest[name] for name in latest if text in {name, name.partition("/")[2]}]
        return same or list(latest.values())
