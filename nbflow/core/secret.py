"""Secrets as arguments: what is written anywhere is the name, never the value."""

from __future__ import annotations

import os
import re
from typing import Final

from nbflow.core.errors import DefinitionError, SecretMissing
from nbflow.core.redact import learn

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_KINDS: Final = ("ENV", "GIVEN")
_given: dict[str, str] = {}
"""The values that this process was given, by reference."""
_named: set[str] = set()
"""The environment variables that hold secrets, as far as this process has met them."""


class Secret:
    """A secret by its name. Logs, pickles, panels and reports hold the name only.

    Hand it to activities like any other argument; they call `get`. From then on nbflow blots the
    value out of what they print and of the errors they raise.

    Args:
        reference: Where the value is: ``"ENV:NAME"`` for an environment variable of the process
            that the activity runs in.

    Raises:
        DefinitionError: It names no place.

    Example:
        >>> @nbflow.activity
        ... def fetch(page: int, key: nbflow.Secret) -> list:
        ...     return api.get(page, token=key.get())
        >>> fetch(1, nbflow.Secret("ENV:API_KEY"))
    """

    __slots__ = ("_kind", "_name")

    def __init__(self, reference: str) -> None:
        kind, _, name = str(reference).partition(":")
        if kind not in _KINDS or not _NAME.fullmatch(name):
            # The text itself may be the secret: it is not repeated.
            message = (
                "a Secret is made of a reference, not of the value: nbflow.Secret('ENV:NAME'), or "
                "nbflow.Secret.of('name', value) for a value that this process holds"
            )
            raise DefinitionError(message)
        self._kind, self._name = kind, name
        if kind == "ENV":
            _named.add(name)
            if value := os.environ.get(name):
                learn(name, value)

    @classmethod
    def env(cls, name: str) -> Secret:
        """Give the secret that an environment variable holds."""
        return cls(f"ENV:{name}")

    @classmethod
    def of(cls, name: str, value: str) -> Secret:
        """Keep a value in this process, and give the secret of that name.

        It is written nowhere: after a restart of the kernel, say it again before you resume.

        Args:
            name: What logs call it.
            value: The value, for instance from ``getpass.getpass()``.
        """
        made = cls(f"GIVEN:{name}")
        if type(value) is not str or not value:
            message = f"the value of secret {name} is empty, or no text"
            raise DefinitionError(message)
        _given[made.reference] = value
        learn(name, value)
        return made

    @property
    def name(self) -> str:
        """Its name."""
        return self._name

    @property
    def reference(self) -> str:
        """Where its value is, as ``ENV:NAME``."""
        return f"{self._kind}:{self._name}"

    def get(self) -> str:
        """Give the value.

        Raises:
            SecretMissing: This process does not know it.
        """
        name = self._name
        value = os.environ.get(name, "") if self._kind == "ENV" else ""
        value = value or _given.get(self.reference, "")
        if not value:
            raise SecretMissing(self._missing())
        learn(name, value)
        return value

    def _missing(self) -> str:
        if self._kind == "ENV":
            return (
                f"the environment variable {self._name}, which holds a secret, is not set in "
                f"process {os.getpid()}: set it before the kernel starts, or with os.environ"
            )
        return (
            f"the value of secret {self._name} is not known in process {os.getpid()}: say it "
            f"with nbflow.Secret.of({self._name!r}, value); it is never stored"
        )

    def __repr__(self) -> str:
        """Give its name."""
        return f"Secret({self._name})"

    def __eq__(self, other: object) -> bool:
        """Whether it is the secret of the same name."""
        return isinstance(other, Secret) and other.reference == self.reference

    def __hash__(self) -> int:
        """Give the hash of its name."""
        return hash(self.reference)

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        """Travel as a reference."""
        return Secret, (self.reference,)


def known_values() -> tuple[tuple[str, str], ...]:
    """Give the values that this process knows, by reference, for workers that it started."""
    if not _given and not _named:
        return ()
    env = {f"ENV:{name}": os.environ[name] for name in sorted(_named) if os.environ.get(name)}
    return tuple((_given | env).items())


def take_values(values: tuple[tuple[str, str], ...]) -> None:
    """Know the values that the process knows that started this one."""
    for reference, value in values:
        kind, _, name = reference.partition(":")
        if kind == "ENV":
            os.environ[name] = value  # it may have been set there since this one was started
            learn(name, value)
        else:
            Secret.of(name, value)
