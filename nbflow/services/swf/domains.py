"""Domains."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Self

from nbflow.services.swf.modelbase import Registration
from nbflow.services.swf.shapes import Data


@dataclass(kw_only=True)
class Domain(Registration):
    """A domain: the room in which types and executions have their names.

    Attributes:
        name: Its name.
        retention: For how many days closed executions are kept; None: as registered, 30 if new.
        description: What it is for.
        status: ``REGISTERED`` or ``DEPRECATED``; None: whatever it is.
        arn: The service's name for it; None: whatever it is.

    Example:
        ``Domain(name="analytics", retention=30).save()``
    """

    name: str
    retention: int | str | None = None
    description: str | None = None
    arn: str | None = field(default=None, repr=False)

    _FIXED: ClassVar[str] = "A domain cannot be changed: use another name"

    def upstream(self) -> Self:
        """Give what the service has."""
        found = self.api.call("DescribeDomain", name=self.name)
        info, days = found["domainInfo"], found["configuration"]
        retention = days["workflowExecutionRetentionPeriodInDays"]
        return self._of(info, int(retention) if retention.isdigit() else retention)

    def _of(self, info: Data, retention: int | str) -> Self:
        return type(self)(
            api=self.api,
            name=info["name"],
            retention=retention,
            description=info.get("description"),
            status=info["status"],
            arn=info.get("arn"),
        )

    def _register(self) -> None:
        days = 30 if self.retention is None else self.retention
        self.api.call(
            "RegisterDomain",
            name=self.name,
            workflowExecutionRetentionPeriodInDays=str(days),
            description=self.description,
        )

    def deprecate(self) -> None:
        """See to it that nothing new uses it."""
        self.api.call("DeprecateDomain", name=self.name)

    def undeprecate(self) -> None:
        """Take that back."""
        self.api.call("UndeprecateDomain", name=self.name)

    def delete(self) -> None:
        """Deprecate it: SWF deletes no domain, and refuses new types and executions in it."""
        self.deprecate()

    @property
    def tags(self) -> dict[str, str]:
        """Its resource tags."""
        found = self.api.call("ListTagsForResource", resourceArn=self._resource())
        return {tag["key"]: tag.get("value", "") for tag in found.get("tags", ())}

    def tag(self, **tags: str) -> None:
        """Set some of its resource tags."""
        listed = [{"key": key, "value": value} for key, value in tags.items()]
        self.api.call("TagResource", resourceArn=self._resource(), tags=listed)

    def untag(self, *keys: str) -> None:
        """Take some of its resource tags away."""
        self.api.call("UntagResource", resourceArn=self._resource(), tagKeys=list(keys))

    def _resource(self) -> str:
        return self.arn or self.upstream().arn or ""
