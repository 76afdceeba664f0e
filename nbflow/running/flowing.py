"""Workflows as flows of a service, which needs the packages of that only when it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbflow.core.workflow import Target

if TYPE_CHECKING:
    from nbflow.services.cloudflow.export.write import Export, Exported


def to_fdl(target: Target, /, *args: Any, export: Export | None = None, **kwargs: Any) -> Exported:
    """Write a workflow as a flow of Alibaba CloudFlow; see `nbflow.services.cloudflow.to_fdl`.

    Args:
        target: The workflow.
        args: Its positional arguments, plain data.
        export: How it is written.
        kwargs: Its keyword arguments, plain data.

    Raises:
        TypeError: The arguments do not fit its signature.
        DefinitionError: It is no fixed graph of activities in modules, with plain data.

    Example:
        >>> nbflow.to_fdl(revenue, ["eu", "us"]).save("flows")
    """
    from nbflow.services.cloudflow.export import write  # noqa: PLC0415 - needs PyYAML

    return write.to_fdl(target, *args, export=export, **kwargs)
