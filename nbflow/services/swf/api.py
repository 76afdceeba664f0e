"""All 39 operations: checked before they are sent, faults as errors, pages as one list."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from nbflow.services.swf import shapes
from nbflow.services.swf.connection import connect
from nbflow.services.swf.errors import Invalid, SwfError, Unreachable, refusal
from nbflow.services.swf.shapes import Data

_LISTED: Final = {
    "GetWorkflowExecutionHistory": "events",
    "ListActivityTypes": "typeInfos",
    "ListClosedWorkflowExecutions": "executionInfos",
    "ListDomains": "domainInfos",
    "ListOpenWorkflowExecutions": "executionInfos",
    "ListWorkflowTypes": "typeInfos",
    "PollForDecisionTask": "events",
}


@cache
def _names() -> Mapping[str, str]:
    """Give the operations by their names in Python: ``list_domains`` is ``ListDomains``."""
    return {xform_name(name): name for name in shapes.operations()}


class Api:
    """SWF's operations, as methods: ``api.list_domains(registrationStatus="REGISTERED")``.

    Arguments are the members of the request, by the service's own names. Those that are None are
    left out. The answer is what boto3 gives, without its metadata.

    Args:
        client: A boto3 client; by default the one that `connect` makes.

    Raises:
        Invalid: A request is not as the model of SWF wants it. It is not sent.
        Refused: The service says no.
        Unreachable: No answer came.
    """

    def __init__(self, client: Any = None) -> None:
        self.client = client if client is not None else connect()

    def __getattr__(self, name: str) -> Callable[..., Data]:
        """Give an operation by its name in Python."""
        operation = _names().get(name)
        if operation is None:
            raise AttributeError(f"SWF has no operation {name!r}")

        def call(**given: Any) -> Data:
            return self.call(operation, **given)

        return call

    def __dir__(self) -> list[str]:
        """List the operations, too."""
        return sorted({*super().__dir__(), *_names()})

    def call(self, operation: str, /, **given: Any) -> Data:
        """Carry out an operation by the service's own name, such as ``ListDomains``."""
        request = {name: value for name, value in given.items() if value is not None}
        found = shapes.problems(shapes.operations()[operation][0], request)
        if found:
            raise Invalid(f"{operation} was not sent: {shapes.message(found)}")
        try:
            answer: Data = getattr(self.client, xform_name(operation))(**request)
        except ClientError as error:
            fault = error.response.get("Error", {})
            raise refusal(fault.get("Code", ""), operation, fault.get("Message", "")) from error
        except (HTTPClientError, NoConnection) as error:
            raise Unreachable(f"{operation} got no answer: {error}") from error
        except BotoCoreError as error:
            raise SwfError(f"{operation} could not be sent: {error}") from error
        answer.pop("ResponseMetadata", None)
        return answer

    def pages(self, operation: str, /, **given: Any) -> Iterator[Data]:
        """Give the answers of an operation page by page, each when it is asked for."""
        token: str | None = None
        while True:
            answer = self.call(operation, **given, nextPageToken=token)
            yield answer
            token = answer.get("nextPageToken")
            if not token:
                return

    def listed(self, operation: str, /, **given: Any) -> Iterator[Data]:
        """Give the entries of an operation that lists, reading on as they are asked for.

        Example:
            ``for domain in api.listed("ListDomains", registrationStatus="REGISTERED"): ...``
        """
        member = _LISTED[operation]
        for answer in self.pages(operation, **given):
            yield from answer.get(member, ())
