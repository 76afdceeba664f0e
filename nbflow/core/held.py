"""Values that are in the memory of one process, and in no log."""

from __future__ import annotations

from typing import Any, Final, Self

GONE: Final = (
    "the value was in the memory of the process that computed it only (persist=False), and that "
    "process does not drive the run any more. It is computed again where a resumed run needs it"
)
"""Why such a value cannot be had."""


class Held:
    """The result of a ``persist=False`` activity, in the place of a stored one.

    A log has it without its value, and so has whoever reads the log.

    Attributes:
        there: Whether the value is here.
        value: The value, where it is handed on as it is, or
        stored: its stored form, of which each consumer gets a copy of its own.
        copied: Which of the two it is.
    """

    __slots__ = ("copied", "stored", "there", "value")

    def __init__(self, *, there: bool = False) -> None:
        self.there = there
        self.copied = False
        self.value: Any = None
        self.stored: Any = None

    @classmethod
    def of(cls, value: object) -> Self:
        """Hold a value as it is."""
        made = cls(there=True)
        made.value = value
        return made

    @classmethod
    def of_stored(cls, stored: Any) -> Self:
        """Hold a stored form."""
        made = cls(there=True)
        made.copied, made.stored = True, stored
        return made

    def __eq__(self, other: object) -> bool:
        """Whether it is one: logs make no difference between them."""
        return isinstance(other, Held)

    def __hash__(self) -> int:
        """Give the same for all."""
        return hash(Held)

    def __repr__(self) -> str:
        """Say whether it is here; never what it is."""
        return "Held(here)" if self.there else "Held(gone)"

    def __reduce__(self) -> tuple[type[Self], tuple[()]]:
        """Travel without the value."""
        return type(self), ()
