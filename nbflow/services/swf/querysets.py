"""What there is: domains, types and executions, found, listed page by page, and made."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, ClassVar, Final, Generic, TypeVar

from nbflow.services.swf.api import Api
from nbflow.services.swf.errors import DoesNotExist
from nbflow.services.swf.models import (
    DEPRECATED,
    REGISTERED,
    ActivityType,
    Domain,
    WorkflowExecution,
    WorkflowType,
)
from nbflow.services.swf.shapes import Data

T = TypeVar("T", ActivityType, WorkflowType)

OPEN: Final = "OPEN"
CLOSED: Final = "CLOSED"
_BOTH: Final = (REGISTERED, DEPRECATED)
DAY: Final = 86_400.0
_FILTERS: Final = {"workflow_id", "name", "version", "tag", "close_status"}


class DomainQuerySet:
    """The domains of an account and region."""

    def __init__(self, api: Api | None = None) -> None:
        self.api = api or Api()

    def get(self, name: str) -> Domain:
        """Give a domain as the service has it.

        Raises:
            DoesNotExist: There is none of that name.
        """
        return Domain(api=self.api, name=name).upstream()

    def create(self, name: str, **given: Any) -> Domain:
        """Register a domain, see `Domain`.

        Raises:
            SwfError: There is one already, and it is different.
        """
        return Domain(api=self.api, name=name, **given).save()

    def get_or_create(self, name: str, **given: Any) -> Domain:
        """Give a domain as it is; register it, with what is given, if there is none."""
        try:
            return self.get(name)
        except DoesNotExist:
            return self.create(name, **given)

    def filter(self, status: str = REGISTERED) -> Iterator[Domain]:
        """Give the domains of a status, reading on as they are asked for."""
        for info in self.api.listed("ListDomains", registrationStatus=status):
            yield Domain(
                api=self.api,
                name=info["name"],
                description=info.get("description"),
                status=info["status"],
                arn=info.get("arn"),
            )

    def all(self) -> Iterator[Domain]:
        """Give all domains, those that are deprecated last."""
        for status in _BOTH:
            yield from self.filter(status)


class _TypeQuerySet(Generic[T]):
    _MODEL: ClassVar[Any]
    _KIND: ClassVar[str]

    def __init__(self, domain: Domain) -> None:
        self.domain = domain
        self.api = domain.api

    def _made(self, **given: Any) -> T:
        made: T = self._MODEL(api=self.api, domain=self.domain, **given)
        return made

    def get(self, name: str, version: str) -> T:
        """Give a type as the service has it.

        Raises:
            DoesNotExist: There is none of that name and version.
        """
        return self._made(name=name, version=version).upstream()

    def create(self, name: str, version: str, **given: Any) -> T:
        """Register a type, with what its model has.

        Raises:
            SwfError: There is one already, and it is different.
        """
        return self._made(name=name, version=version, **given).save()

    def get_or_create(self, name: str, version: str, **given: Any) -> T:
        """Give a type as it is; register it, with what is given, if there is none."""
        try:
            return self.get(name, version)
        except DoesNotExist:
            return self.create(name, version, **given)

    def filter(self, status: str = REGISTERED, name: str | None = None) -> Iterator[T]:
        """Give the types of a status, and of a name if one is given, without their defaults."""
        found = self.api.listed(
            f"List{self._KIND}Types",
            domain=self.domain.name,
            registrationStatus=status,
            name=name,
        )
        for info in found:
            made: T = self._MODEL.of_info(self.api, self.domain, info)
            yield made

    def all(self) -> Iterator[T]:
        """Give all types, those that are deprecated last, without their defaults."""
        for status in _BOTH:
            yield from self.filter(status)


class ActivityTypeQuerySet(_TypeQuerySet[ActivityType]):
    """The activity types of a domain."""

    _MODEL: ClassVar[Any] = ActivityType
    _KIND: ClassVar[str] = "Activity"


class WorkflowTypeQuerySet(_TypeQuerySet[WorkflowType]):
    """The workflow types of a domain."""

    _MODEL: ClassVar[Any] = WorkflowType
    _KIND: ClassVar[str] = "Workflow"


class WorkflowExecutionQuerySet:
    """The executions of a domain. Listings lag behind what happens; the service says so itself."""

    def __init__(self, domain: Domain) -> None:
        self.domain = domain
        self.api = domain.api

    def get(self, workflow_id: str, run_id: str = "") -> WorkflowExecution:
        """Give an execution as the service has it; without a run id, the latest of that name.

        Raises:
            DoesNotExist: There is none, or none that is still kept.
        """
        if run_id:
            known = WorkflowExecution(
                api=self.api, domain=self.domain, workflow_id=workflow_id, run_id=run_id
            )
            return known.upstream()
        for status in (OPEN, CLOSED):
            for found in self.filter(status, workflow_id=workflow_id, since=0):
                # A server that overlooks the filter must not make us touch somebody else's.
                if found.workflow_id == workflow_id:
                    return found.upstream()
        said = f"Unknown execution, workflowId = {workflow_id}"
        raise DoesNotExist("UnknownResourceFault", "ListWorkflowExecutions", said)

    def create(
        self, workflow_type: WorkflowType, workflow_id: str, **how: Any
    ) -> WorkflowExecution:
        """Start an execution, see `WorkflowType.start`."""
        return workflow_type.start(workflow_id, **how)

    def get_or_create(
        self, workflow_type: WorkflowType, workflow_id: str, **how: Any
    ) -> WorkflowExecution:
        """Give the open execution of that workflow id; start one if none is open."""
        for found in self.filter(OPEN, workflow_id=workflow_id, since=0):
            if found.workflow_id == workflow_id:
                return found
        return self.create(workflow_type, workflow_id, **how)

    def filter(  # noqa: PLR0913 - the service's own filters, by name
        self,
        status: str = OPEN,
        *,
        workflow_id: str | None = None,
        name: str | None = None,
        version: str | None = None,
        tag: str | None = None,
        close_status: str | None = None,
        since: float | None = None,
        until: float | None = None,
        by_close: bool = False,
        reverse: bool = False,
    ) -> Iterator[WorkflowExecution]:
        """Give executions, the latest first, reading on as they are asked for.

        Args:
            status: ``OPEN`` or ``CLOSED``.
            workflow_id: Only those of this workflow id. SWF takes one of this and the next four.
            name: Only those of a type of this name.
            version: Only those of this version of it.
            tag: Only those with this tag.
            close_status: Only those that ended like that, such as ``FAILED``.
            since: Only those that started then or later (seconds, epoch); by default of a day.
            until: Only those that started then or before.
            by_close: `since` and `until` are about their ends.
            reverse: The earliest first.
        """
        request = self._filters(workflow_id, name, version, tag, close_status)
        span = {"oldestDate": time.time() - DAY if since is None else since}
        if until is not None:
            span["latestDate"] = until
        request["closeTimeFilter" if by_close else "startTimeFilter"] = span
        word = "Open" if status == OPEN else "Closed"
        listing = f"List{word}WorkflowExecutions"
        for info in self.api.listed(
            listing, domain=self.domain.name, reverseOrder=reverse, **request
        ):
            yield WorkflowExecution.of_info(self.api, self.domain, info)

    def count(self, status: str = OPEN, *, since: float | None = None, **which: Any) -> int:
        """Count executions, with the filters of `filter`; about, the service says."""
        unknown = set(which) - _FILTERS
        if unknown:
            raise TypeError(f"count() has no {', '.join(sorted(unknown))}")
        request = self._filters(**dict.fromkeys(_FILTERS) | which)
        request["startTimeFilter"] = {"oldestDate": time.time() - DAY if since is None else since}
        word = "Open" if status == OPEN else "Closed"
        answer = self.api.call(f"Count{word}WorkflowExecutions", domain=self.domain.name, **request)
        return int(answer["count"])

    def all(self, since: float | None = None) -> Iterator[WorkflowExecution]:
        """Give the open executions, and then the closed ones; by default of a day."""
        for status in (OPEN, CLOSED):
            yield from self.filter(status, since=since)

    @staticmethod
    def _filters(
        workflow_id: str | None,
        name: str | None,
        version: str | None,
        tag: str | None,
        close_status: str | None,
    ) -> Data:
        request: Data = {}
        if workflow_id is not None:
            request["executionFilter"] = {"workflowId": workflow_id}
        if name is not None:
            request["typeFilter"] = {"name": name, **({"version": version} if version else {})}
        if tag is not None:
            request["tagFilter"] = {"tag": tag}
        if close_status is not None:
            request["closeStatusFilter"] = {"status": close_status}
        return request
