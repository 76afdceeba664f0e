"""What a workflow has noted."""

from __future__ import annotations

from typing import Any


class Marker:
    """Something noted: its name, and a value that belongs to it."""

    def __init__(self, name: str, details: Any) -> None:
        self.name, self.details = name, details

    def __repr__(self) -> str:
        """Give both."""
        return f"<{type(self).__name__} {self.name!r} details={self.details!r}>"
