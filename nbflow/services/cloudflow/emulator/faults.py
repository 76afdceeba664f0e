"""Answers that say no, with the service's codes, words and HTTP statuses."""

from __future__ import annotations

from typing import Final

from nbflow.core.errors import NbflowError

_ADVICE: Final = "https://api.aliyun.com/troubleshoot?q="
_TEXTS: Final = {
    "ActionNotSupported": (400, "The requested API operation '{}' is incorrect. Please check."),
    "APIVersionNotSupported": (
        400,
        "The requested API version '{}' is not supported yet. Please check.",
    ),
    "EntityTooLarge": (400, "The payload size exceeds maximum allowed size ({} bytes)."),
    "InvalidArgument": (400, "Parameter error. {}"),
    "MissingRequiredParams": (400, "The HTTP query '{}' must be specified."),
    "MissingRequiredHeader": (400, "The HTTP header '{}' must be specified."),
    "ExecutionAlreadyExists": (400, "Execution {} for flow {} already exists."),
    "TaskAlreadyCompleted": (400, "Task {} has already completed."),
    "TaskNotExists": (404, "Task {} does not exist."),
    "AccessDenied": (403, "The resources doesn't belong to you."),
    "InvalidAccessKeyID": (403, "The AccessKey ID {} is invalid."),
    "RequestTimeTooSkewed": (
        403,
        "The difference between the request time {} and the current time {} is too large.",
    ),
    "SignatureNotMatch": (
        403,
        (
            "The request signature we calculated does not match the signature you provided. "
            "Check your access key and signing method."
        ),
    ),
    "FlowNotExists": (404, "Flow {} does not exist."),
    "FlowVersionNotExists": (404, "Version {} of flow {} does not exist."),
    "FlowAliasNotExists": (404, "Alias {} of flow {} does not exist."),
    "ExecutionNotExists": (404, "Execution {} for flow {} does not exist."),
    "ScheduleNotExists": (404, "Schedule {} for flow {} does not exist."),
    "MapRunNotExists": (404, "Map run {} of execution {} does not exist."),
    "FlowAlreadyExists": (409, "Flow {} already exists."),
    "FlowAliasAlreadyExists": (409, "Alias {} of flow {} already exists."),
    "ScheduleAlreadyExists": (409, "Schedule {} for flow {} already exists."),
    "FlowVersionInUse": (409, "Version {} of flow {} is used by alias {}."),
    "ResourceLimitExceeded": (400, "There are {} already, which is the most."),
    "ResourceThrottled": (429, "Too many requests of {}. Please retry."),
    "InternalServerError": (500, "An internal error has occurred. Please retry."),
}


class Fault(NbflowError):
    """An answer that says no.

    Attributes:
        code: Such as ``FlowNotExists``.
        message: What it says.
        status: The HTTP status that it goes with.
        after: Milliseconds after which to try again; None to say nothing about it.
    """

    def __init__(self, code: str, *words: object, after: int | None = None) -> None:
        self.code = code
        self.status, text = _TEXTS[code]
        self.message = text.format(*words).strip()
        self.after = after
        super().__init__(f"{code}: {self.message}")

    def body(self, request_id: str) -> dict[str, str]:
        """Give what goes over the wire."""
        return {
            "Code": self.code,
            "Message": self.message,
            "RequestId": request_id,
            "HostId": "emulator",
            "Recommend": f"{_ADVICE}{self.code}",
        }


def wrong(said: str) -> Fault:
    """Make the fault of a request that is not as it must be."""
    return Fault("InvalidArgument", said)
