"""Values that are in the memory of one process, and in no log."""

from __future__ import annotations

from typing import Any, Final, Protocol, Self

GONE: Final = (
    "the value was in the memory of the process that computed it only (persist=False), or on a "
    "cluster, and is not there any more. It is computed again where a resumed run needs it"
)
"""Why such a value cannot be had."""


class Elsewhere(Protocol):
    """A value that is kept where it was computed, as on a cluster."""

    def there(self) -> bool:
        """Whether it can still be had, as far as this process knows."""

    def fetch(self) -> Any:
        """Bring its stored form here.

        Raises:
            NbflowError: It cannot be had any more.
        """


class Held:
    """The result of a ``persist=False`` activity, in the place of a stored one.

    The same goes for a result that stays on the cluster that computed it.

    A log has it without its value, and so has whoever reads the log.

    Attributes:
        value: The value, where it is handed on as it is, or
        stored: its stored form, of which each consumer gets a copy of its own.
        copied: Which of the two it is.
        elsewhere: Where the stored form is, if that is not here.
    """

    __slots__ = ("_there", "copied", "elsewhere", "stored", "value")

    def __init__(self, *, there: bool = False) -> None:
        self._there = there
        self.elsewhere: Elsewhere | None = None
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

    @classmethod
    def of_elsewhere(cls, where: Elsewhere) -> Self:
        """Hold what is kept where it was computed, until somebody asks for it here."""
        made = cls(there=True)
        made.copied, made.elsewhere = True, where
        return made

    @property
    def there(self) -> bool:
        """Whether the value can be had."""
        return self._there and (self.elsewhere is None or self.elsewhere.there())

    def form(self) -> Any:
        """Give the stored form of what is `copied`, from wherever it is.

        Raises:
            NbflowError: It was kept elsewhere, and cannot be had any more.
        """
        return self.stored if self.elsewhere is None else self.elsewhere.fetch()

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
