"""Calls with an id of their own: one that the code gives, or one made of their arguments."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any, Final, TypeVar

from nbflow.core.errors import DefinitionError, RunError
from nbflow.core.fingerprint import digest
from nbflow.core.future import Future, Gathered
from nbflow.core.keys import Stand, Unkeyable, digest_of

if TYPE_CHECKING:
    from nbflow.core.activity import Activity

T = TypeVar("T")

MOST: Final = 200
"""How many characters an id may have."""
MOST_CALLS: Final = 1_000_000
"""Calls that the code of one run may ask for: a loop without an end should not fill the disk."""
_FORM: Final = re.compile(r"\w[\w.@/+-]*")
_NUMBERED: Final = re.compile(r"-\d+$")
_DIGITS: Final = 16


class Naming:
    """The part of an interpreter that is about ids."""

    __slots__ = ()

    if TYPE_CHECKING:
        _ids: dict[str, Future[Any]]
        _counts: dict[str, int]

        def call(  # noqa: D102 - the interpreter has it
            self,
            activity: Activity[..., T],
            args: tuple[Any, ...],
            kwargs: dict[str, Any],
            call: str = "",
        ) -> Future[T]: ...

    def call_named(
        self,
        activity: Activity[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        call: object,
    ) -> Future[T]:
        """Ask for a call with an id that the code gives.

        Raises:
            DefinitionError: It is no id, or another call of the run has it.
        """
        checked = check_id(call)
        if checked in self._ids:
            message = f"call_id {checked!r} is taken: each call of a run needs an id of its own"
            raise DefinitionError(message)
        return self._with_id(activity, args, kwargs, checked)

    def _one_call(
        self, activity: Activity[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Future[T]:
        """Ask for the one call with these arguments; give that again if it was asked for."""
        call = f"{activity.name}-{_digest(activity, args, kwargs)}"
        known = self._ids.get(call)
        if known is not None:
            return known
        return self._with_id(activity, args, kwargs, call)

    def _with_id(
        self,
        activity: Activity[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        call: str,
    ) -> Future[T]:
        self._counts.setdefault(activity.name, 0)
        future = self._ids[call] = self.call(activity, args, kwargs, call)
        return future


def one_form(name: str) -> str:
    r"""Give a name in the form that Python gives identifiers: one that looks the same is the same.

    Args:
        name: Any text, as in ``activity(name=...)``.

    Example:
        >>> one_form("e\u0301") == "\xe9"
        True
    """
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def too_many(run: str) -> RunError:
    """Give the error for code that asks for one call more than a run may have."""
    message = (
        f"run {run} has asked for {MOST_CALLS:,} calls, and a run may have no more: does this "
        "loop end? What has succeeded is kept. Work that never ends goes on as new every now and "
        "then, by nbflow.continue_as_new(..., after_events=100_000)"
    )
    return RunError(message)


def check_id(call: object) -> str:
    """Give an id that code chose, if it can be one.

    Raises:
        DefinitionError: It cannot.
    """
    if not isinstance(call, str) or not _FORM.fullmatch(call) or len(call) > MOST:
        message = (
            f"a call_id is a text of letters, digits and _ . @ / + -, up to {MOST} of them, not "
            f"{call!r:.60}"
        )
        raise DefinitionError(message)
    if _NUMBERED.search(call):
        message = (
            f"call_id {call!r} ends as the ids do that nbflow gives (fetch-1): write another end"
        )
        raise DefinitionError(message)
    return call


def _digest(activity: Activity[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Give what calls with equal arguments have in common, in this process and any other.

    Raises:
        DefinitionError: An argument cannot be compared with that of another call.
    """
    bound = activity.signature.bind(*args, **kwargs)
    bound.apply_defaults()
    given = {name: _standing(value) for name, value in bound.arguments.items()}
    try:
        found = digest_of(given)
    except Unkeyable as error:
        message = (
            f"{activity.name} is idempotent, and an argument cannot be compared: {error}. "
            f"Give the call an id: {activity.name}.submit(..., call_id='...')"
        )
        raise DefinitionError(message) from None
    # A letter first, so that it cannot end as the ids do that are numbers.
    return "i" + digest("idempotent", activity.name, found)[:_DIGITS]


def _standing(value: Any) -> Any:
    """Put the ids of calls in the place of futures, at any depth of lists, tuples and dicts."""
    if isinstance(value, Gathered):
        return [_standing(future) for future in value.futures]
    if isinstance(value, Future):
        return Stand(value.call)
    if type(value) in {list, tuple}:
        return type(value)(_standing(item) for item in value)
    if type(value) is dict:
        return {key: _standing(item) for key, item in value.items()}
    return value
