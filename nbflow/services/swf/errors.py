"""What SWF says no with, and what is not even sent.

::

    SwfError                 anything about SWF
    ├── Invalid              a request or a decision is not as SWF wants it; nothing was sent
    ├── Refused              the service said no; `code` is the fault's own name
    │   ├── DoesNotExist     no such domain, type, execution or task (any longer)
    │   ├── AlreadyExists    it is registered or running already
    │   ├── Deprecated       it is deprecated, or is not and would have to be
    │   ├── LimitExceeded    a quota
    │   └── Throttled        too many requests; boto3 has tried again already
    ├── Unreachable          no answer: it may have been carried out all the same
    └── HistoryBroken        a history has a hole, or an event that cannot be there
"""

from __future__ import annotations

from typing import Final

from nbflow.core.errors import NbflowError


class SwfError(NbflowError):
    """Something about SWF."""


class Invalid(SwfError, ValueError):
    """A request or a decision is not as SWF wants it. Nothing was sent."""


class Refused(SwfError):
    """The service said no.

    Attributes:
        code: The fault's own name, such as ``UnknownResourceFault``.
        operation: What was asked for.
        said: What the service said.
    """

    def __init__(self, code: str, operation: str, said: str) -> None:
        super().__init__(f"{operation} was refused: {code}: {said}")
        self.code, self.operation, self.said = code, operation, said

    def __reduce__(self) -> tuple[type[Refused], tuple[str, str, str]]:
        """Survive a trip to another process."""
        return type(self), (self.code, self.operation, self.said)


class DoesNotExist(Refused, LookupError):
    """There is no such domain, type, execution or task, or there is no longer."""


class AlreadyExists(Refused):
    """It is registered, or running, already."""


class Deprecated(Refused):
    """It is deprecated; or it is not, and would have to be."""


class LimitExceeded(Refused):
    """One of the service's quotas."""


class Throttled(Refused):
    """There were too many requests, also for boto3's own attempts."""


class Unreachable(SwfError, ConnectionError):
    """No answer came. What was asked for may have been carried out all the same."""


class HistoryBroken(SwfError, ValueError):
    """A history has a hole, or an event that cannot be where it is."""


_KINDS: Final[dict[str, type[Refused]]] = {
    "UnknownResourceFault": DoesNotExist,
    "DomainAlreadyExistsFault": AlreadyExists,
    "TypeAlreadyExistsFault": AlreadyExists,
    "WorkflowExecutionAlreadyStartedFault": AlreadyExists,
    "DomainDeprecatedFault": Deprecated,
    "TypeDeprecatedFault": Deprecated,
    "TypeNotDeprecatedFault": Deprecated,
    "LimitExceededFault": LimitExceeded,
    "TooManyTagsFault": LimitExceeded,
    "ThrottlingException": Throttled,
}


def refusal(code: str, operation: str, said: str) -> Refused:
    """Make the error of a fault."""
    return _KINDS.get(code, Refused)(code, operation, said)
