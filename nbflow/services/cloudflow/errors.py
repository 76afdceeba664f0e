"""What is wrong with a text for CloudFlow, and how an expression in one can fail.

::

    CloudFlowError           anything about CloudFlow
    ├── FdlError             a definition is not one that CloudFlow takes; has the line
    ├── EvaluationError      an expression has no value for these data; has the flow's error code
    └── ActionError          what a flow calls failed, by a name that the flow can catch it by
"""

from __future__ import annotations

from nbflow.core.errors import NbflowError


class CloudFlowError(NbflowError):
    """Something about CloudFlow."""


class FdlError(CloudFlowError, ValueError):
    """A definition is not as the language wants it.

    Attributes:
        line: The line in the text, from 1; 0 if it was not read from a text.
        where: What it is about, such as ``States[2].Next``; "" for the whole.
        said: What is wrong with it and what to do.
    """

    def __init__(self, said: str, line: int = 0, where: str = "") -> None:
        place = ", ".join(part for part in (f"line {line}" if line else "", where) if part)
        super().__init__(f"{place}: {said}" if place else said)
        self.line, self.where, self.said = line, where, said

    def __reduce__(self) -> tuple[type[FdlError], tuple[str, int, str]]:
        """Survive a trip to another process."""
        return FdlError, (self.said, self.line, self.where)


class EvaluationError(CloudFlowError):
    """An expression has no value for these data.

    Attributes:
        code: The error that a flow can catch it by.
    """

    code = "FnF.RuntimeError"


class ActionError(CloudFlowError):
    """What a flow calls failed; raised by an action, the flow can catch it by its name.

    Attributes:
        code: The error's name, such as ``FC.ResourceThrottled``.
        cause: What happened.
    """

    def __init__(self, code: str, cause: str = "") -> None:
        super().__init__(f"{code}: {cause}" if cause else code)
        self.code, self.cause = code, cause

    def __reduce__(self) -> tuple[type[ActionError], tuple[str, str]]:
        """Survive a trip to another process."""
        return ActionError, (self.code, self.cause)
