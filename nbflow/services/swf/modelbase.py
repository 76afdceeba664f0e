"""What the models of domains, types and executions have in common.

A model is a value: two are equal if they say the same, wherever they come from. `upstream` gives
what the service has, `changes` where the two differ.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Final, NamedTuple, Self

from nbflow.services.swf.api import Api
from nbflow.services.swf.errors import AlreadyExists, DoesNotExist, SwfError
from nbflow.services.swf.wire import given, read

REGISTERED: Final = "REGISTERED"
DEPRECATED: Final = "DEPRECATED"


class Change(NamedTuple):
    """A field in which a model differs from what the service has."""

    field: str
    here: Any
    upstream: Any


@dataclass(kw_only=True)
class Model(ABC):
    """Something that the service can be asked for.

    Attributes:
        api: How the service is reached; no part of the value.
    """

    api: Api = field(default_factory=Api, compare=False, repr=False)

    @abstractmethod
    def upstream(self) -> Self:
        """Give what the service has.

        Raises:
            DoesNotExist: It has nothing of that name.
        """

    @property
    def exists(self) -> bool:
        """Whether the service has it, deprecated or closed things included."""
        try:
            self.upstream()
        except DoesNotExist:
            return False
        return True

    @property
    def changes(self) -> list[Change]:
        """Where this differs from what the service has; fields that are None here are left to it.

        Raises:
            DoesNotExist: It has nothing of that name.
        """
        there = self.upstream()
        pairs = [
            (f.name, _plain(f.name, getattr(self, f.name)), _plain(f.name, getattr(there, f.name)))
            for f in fields(self)
            if f.compare
        ]
        return [Change(*pair) for pair in pairs if pair[1] is not None and pair[1] != pair[2]]

    @property
    def is_synced(self) -> bool:
        """Whether the service has it just as it is here."""
        try:
            return not self.changes
        except DoesNotExist:
            return False


def _plain(name: str, value: Any) -> Any:
    """Write a value as the service does, so that 60 and "60" are no difference."""
    return read(given(name, value))


@dataclass(kw_only=True)
class Registration(Model):
    """A model that is registered, and can be deprecated."""

    status: str | None = None

    _FIXED: ClassVar[str]

    @abstractmethod
    def _register(self) -> None: ...

    @abstractmethod
    def deprecate(self) -> None:
        """See to it that nothing new uses it.

        Raises:
            Deprecated: It is already.
            DoesNotExist: The service has none.
        """

    @abstractmethod
    def undeprecate(self) -> None:
        """Take that back.

        Raises:
            AlreadyExists: It is not deprecated.
            DoesNotExist: The service has none.
        """

    def save(self) -> Self:
        """See to it that the service has it as it is here: register, or change its status.

        Once more is no error. Give it as the service has it.

        Raises:
            SwfError: The service has one that is different; what is registered cannot be changed.
        """
        try:
            self._register()
        except AlreadyExists:
            self._agree()
        if self.status == DEPRECATED and self.upstream().status == REGISTERED:
            self.deprecate()
        return self.upstream()

    def _agree(self) -> None:
        there = self.changes
        if [c.field for c in there] == ["status"] and self.status == REGISTERED:
            self.undeprecate()
        elif differing := [c for c in there if c.field != "status"]:
            told = ", ".join(f"{c.field} is {c.upstream!r}, not {c.here!r}" for c in differing)
            raise SwfError(f"{self!r} is registered already, and {told}. {self._FIXED}")


def since_epoch(when: Any) -> float | None:
    """Give a time as the service or boto3 has it in seconds since the epoch."""
    return when if when is None or isinstance(when, float | int) else when.timestamp()
