"""An exception as data: what an event keeps of it, and how it becomes an exception again."""

from __future__ import annotations

import linecache
import traceback
from dataclasses import dataclass, field
from types import TracebackType

from nbflow.core import errors, payload
from nbflow.core.errors import NbflowError, RemoteError
from nbflow.core.redact import holds_secret, redact

_MESSAGE_CHARACTERS = 10_000
_FRAMES = 50


@dataclass(frozen=True, slots=True)
class Frame:
    """One line of a traceback: where, and the source text there if it was at hand."""

    file: str
    line: int
    function: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What is kept of an exception.

    Attributes:
        kind: Qualified name of its class.
        bases: Qualified names of all its classes, itself first: retry policies match on these.
        message: What ``str()`` of it gave, cut at 10,000 characters.
        frames: The innermost 50 frames of the activity's own code, outermost first.
        pickled: The exception itself, where it survives a round trip and holds no known secret.
        refused: Why it may not be unpickled; "" if it may.
        sig: The signature that it was read with.

    No value of a variable is kept, and known secrets are blotted out in what is.
    """

    kind: str
    bases: tuple[str, ...]
    message: str
    frames: tuple[Frame, ...] = ()
    pickled: bytes | None = None
    refused: str = field(default="", compare=False, repr=False)
    sig: str = field(default="", compare=False, repr=False)

    @classmethod
    def of(cls, error: BaseException, skip: int = 0) -> Failure:
        """Make one from a live exception, leaving out the outermost `skip` frames."""
        return cls(
            kind=_name(type(error)),
            bases=tuple(_name(base) for base in type(error).__mro__ if base is not object),
            message=_message(error),
            frames=_frames(error.__traceback__, skip),
            pickled=_round_trip(error),
        )

    def rebuild(self) -> BaseException:
        """Give an exception to raise: the original where it can be rebuilt, else `RemoteError`."""
        if self.pickled is not None:
            try:
                payload.check(self.refused)
                error = payload.loads(self.pickled)
            except NbflowError:
                pass
            else:
                if isinstance(error, BaseException):
                    return error
        return _own(self.kind, self.message) or RemoteError(self.kind, self.message)

    def matches(self, kind: type[BaseException]) -> bool:
        """Whether the exception was of that class, also where it cannot be rebuilt."""
        return _name(kind) in self.bases


def _own(kind: str, message: str) -> NbflowError | None:
    """Make one of nbflow's own errors again: that needs no pickle."""
    module, _, name = kind.rpartition(".")
    found = getattr(errors, name, None) if module == errors.__name__ else None
    if isinstance(found, type) and issubclass(found, NbflowError) and found is not RemoteError:
        return found(message)
    return None


def _name(kind: type) -> str:
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def _message(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a user's own __str__ may do anything
        return "(its message could not be read)"
    text = redact(text)
    return text if len(text) <= _MESSAGE_CHARACTERS else f"{text[:_MESSAGE_CHARACTERS]}… (cut)"


def _frames(tb: TracebackType | None, skip: int) -> tuple[Frame, ...]:
    found: list[Frame] = []
    for frame, line in traceback.walk_tb(tb):
        code = frame.f_code
        source = linecache.getline(code.co_filename, line, frame.f_globals).strip()
        found.append(Frame(code.co_filename, line, code.co_name, redact(source)))
    return tuple(found[skip:][-_FRAMES:])


def _round_trip(error: BaseException) -> bytes | None:
    """Pickle it and try that it comes back as the same class; None if it does not."""
    if not payload.pickles_allowed():
        return None
    try:
        data = payload.dumps(error, "the exception")
        if holds_secret(data):
            return None
        return data if type(payload.loads(data)) is type(error) else None
    except NbflowError:
        return None
    except BaseException:  # noqa: BLE001 - unpickling runs user code, which may even exit
        return None
