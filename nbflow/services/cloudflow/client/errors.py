"""How a request to CloudFlow can fail.

::

    CloudFlowError
    ├── Invalid              the request is not as the service wants it; it was not sent
    ├── Refused              the service said no: code, said, request_id, recommend
    │   ├── DoesNotExist     no such flow, version, alias, execution, schedule
    │   ├── AlreadyExists    a flow, an alias, a schedule, or an execution that is over
    │   ├── Denied           credentials, signature, clock or permission
    │   ├── TaskOver         the call has its answer already, or its token is of none
    │   └── Throttled        too many requests, for the repeated attempts as well
    ├── Unreachable          no answer came; it may have been carried out all the same
    └── NotOver              an execution was waited for, and is not over yet
"""

from __future__ import annotations

from nbflow.services.cloudflow.errors import CloudFlowError


class Invalid(CloudFlowError, ValueError):
    """A request is not as the service wants it. Nothing was sent."""


class Unreachable(CloudFlowError):
    """No answer came, or none that can be read. It may have been carried out all the same."""


class NotOver(CloudFlowError, TimeoutError):
    """An execution was waited for, and is not over yet. It goes on."""


class Refused(CloudFlowError):
    """The service said no.

    Attributes:
        action: The operation, such as ``DescribeFlow``.
        code: The service's code, such as ``FlowNotExists``.
        said: What it said.
        status: The HTTP status.
        request_id: What its support asks for; "" if it gave none.
        recommend: An address with advice; "" if it gave none.
    """

    def __init__(
        self, action: str, code: str, said: str, status: int, request_id: str, recommend: str
    ) -> None:
        advice = f" See {recommend}" if recommend else ""
        number = f" (request {request_id})" if request_id else ""
        super().__init__(f"CloudFlow refused {action}: {code}: {said}{number}{advice}")
        self.action, self.code, self.said, self.status = action, code, said, status
        self.request_id, self.recommend = request_id, recommend

    def __reduce__(self) -> tuple[type[Refused], tuple[str, str, str, int, str, str]]:
        """Survive a trip to another process."""
        given = self.action, self.code, self.said, self.status, self.request_id, self.recommend
        return type(self), given


class DoesNotExist(Refused):
    """There is no such flow, version, alias, execution or schedule."""


class AlreadyExists(Refused):
    """There is one of that name already; of an execution: one that is over."""


class Denied(Refused):
    """The credentials, the signature, this machine's clock or a permission was not accepted."""


class TaskOver(Refused):
    """The call has its answer already, or there is none of that token."""


class Throttled(Refused):
    """There were too many requests, for the repeated attempts as well."""


_DENIED = frozenset(
    {"AccessDenied", "InvalidAccessKeyID", "RequestTimeTooSkewed", "SignatureNotMatch"}
)


def refusal(
    action: str, code: str, said: str, status: int, request_id: str, recommend: str
) -> Refused:
    """Make the error that fits a code."""
    kind = Refused
    if code in {"TaskAlreadyCompleted", "TaskNotExists"}:
        kind = TaskOver
    elif code.endswith(("NotExists", "NotFound")):
        kind = DoesNotExist
    elif code.endswith("AlreadyExists"):
        kind = AlreadyExists
    elif code in _DENIED or code.startswith(("InvalidAccessKeyId", "SignatureDoesNotMatch")):
        kind = Denied
    elif "Throttl" in code or status == 429:  # noqa: PLR2004 - too many requests
        kind = Throttled
    return kind(action, code, said, status, request_id, recommend)
