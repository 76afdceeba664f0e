"""What a workflow wants to be told of its runs, besides what its code does in them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, Self

from nbflow.core.errors import DefinitionError

if TYPE_CHECKING:
    from nbflow.core.stopping import Stopping

_log = logging.getLogger("nbflow")


@dataclass(frozen=True, slots=True)
class HookContext:
    """What a hook of a workflow is told. See `nbflow.workflow`.

    Attributes:
        run: Id of the run.
        workflow: Name of the workflow.
        status: ``running``, or how the run ends: ``completed``, ``failed``, ``cancelled``,
            ``continued``.
        tags: Words that the run is found by.
        parent: The run that called it, "" if none did.
        resumed: How often the run was resumed.
        reason: Why it failed, as the exception's class and message; or why it is to be cancelled.
        details: More of that, where the code said so by `nbflow.fail`.
        error: What it failed with, or None.
        result: What it gives; None unless it has completed.
        calls: The status of each call so far, by its id.

    Example:
        >>> def tell(ended):
        ...     print(f"{ended.run} has {ended.status}: {ended.reason}")
        >>> @workflow(on_failure=tell)
        ... def nightly(regions): ...
    """

    run: str
    workflow: str
    status: str
    tags: tuple[str, ...]
    parent: str
    resumed: int
    reason: str
    details: str
    error: BaseException | None
    result: Any
    calls: Mapping[str, str]


Hook = Callable[[HookContext], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """The functions that are told; each takes a `HookContext`, and may be ``async def``.

    Attributes:
        before_replay: The code begins to be executed.
        after_replay: It has got as far as it could.
        on_completed: It has ended. The run is not closed yet.
        on_failure: It has failed. The run is not closed yet.
        on_canceled: It has been cancelled. May have calls made, to clean up.
        after_closed: The run is closed.
        should_cancel: Somebody wants to cancel the run: False refuses that.
    """

    before_replay: Hook | None = None
    after_replay: Hook | None = None
    on_completed: Hook | None = None
    on_failure: Hook | None = None
    on_canceled: Hook | None = None
    after_closed: Hook | None = None
    should_cancel: Hook | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """Make them of options.

        Raises:
            DefinitionError: One is no function.
        """
        for name, hook in given.items():
            if hook is not None and not callable(hook):
                message = f"{name} is a function of a HookContext, not {type(hook).__name__}"
                raise DefinitionError(message)
        return cls(**given)

    def changed(self, change: Callable[[Hook], Hook]) -> Self:
        """Give them with each one replaced by what `change` makes of it."""
        own = {name: getattr(self, name) for name in HOOKS}
        return type(self)(**{n: hook and change(hook) for n, hook in own.items()})


HOOKS: Final = tuple(field.name for field in fields(Hooks))
"""Their names."""
NO_HOOKS: Final = Hooks()


def hook_context(
    interpreter: Stopping,
    status: str,
    *,
    error: BaseException | None = None,
    result: Any = None,
    reason: str = "",
) -> HookContext:
    """Make what a hook is told."""
    history = interpreter.history
    started = history.started
    own = started is not None
    return HookContext(
        run=interpreter.run,
        workflow=started.workflow if own and started is not None else "",
        status=status,
        tags=started.tags if started is not None else (),
        parent=started.parent if started is not None else "",
        resumed=history.resumed,
        reason=reason or (_reason(error) if error is not None else ""),
        details=str(getattr(error, "details", "") or ""),
        error=error,
        result=result,
        calls={call: state.status for call, state in list(history.calls.items()) if state.name},
    )


def _reason(error: BaseException) -> str:
    said = getattr(error, "reason", "")
    return said if isinstance(said, str) and said else f"{type(error).__name__}: {error}"
