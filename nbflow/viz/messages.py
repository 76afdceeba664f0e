"""What the browser may say, read with suspicion: a page can send anything."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

ACTIONS: Final = ("cancel", "cancel_call", "retry", "resume")
"""What can be done to a run from its panel."""
_MODES: Final = frozenset({"calls", "nested", "groups"})
_MOST: Final = 0xFFFFFFFF
_OPEN: Final = 2_000
"""So many activities can be asked to be expanded."""


class Request(NamedTuple):
    """Something asked for, its fields known to be of the right types and sizes.

    Attributes:
        kind: ``ask``, ``rows``, ``view``, ``detail``, ``child``, ``log``, or one of `ACTIONS`.
        call: Row of a call.
        calls: First row wanted of the table of calls...
        bars: ...and of that of bars.
        begin: First line wanted of the log.
        mode: ``calls``, ``nested`` or ``groups``.
        inner: A message to the child run that the call is; None to close it.
        open: Numbers of the activities, or of the compositions, to be expanded;
            None for those that were before.
    """

    kind: str
    call: int = -1
    calls: int = 0
    bars: int = 0
    begin: int = 0
    mode: str = ""
    inner: Any = None
    open: tuple[int, ...] | None = ()


def read(content: object) -> Request:
    """Read a message from the browser.

    Raises:
        ValueError: It is not one that a panel sends; the message says what is wrong.
    """
    if not isinstance(content, dict):
        message = f"a {type(content).__name__} in the place of an object"
        raise ValueError(message)  # noqa: TRY004 - whoever hears it cares for the text only
    match content.get("kind"):
        case "ask" | "cancel" | "retry" | "resume" as kind:
            return Request(kind)
        case "detail" | "cancel_call" as kind:
            return Request(kind, call=_number(content, "call"))
        case "rows":
            return Request("rows", calls=_number(content, "calls"), bars=_number(content, "bars"))
        case "log":
            return Request("log", begin=_number(content, "from"))
        case "child":
            return Request("child", call=_number(content, "call"), inner=content.get("message"))
        case "view":
            return _view(content)
    message = f"no message is of kind {str(content.get('kind'))[:40]!r}"
    raise ValueError(message)


def _view(content: dict[Any, Any]) -> Request:
    mode, chosen = content.get("mode"), content.get("open")
    if not isinstance(mode, str) or mode not in _MODES:
        message = f"a graph has no mode {str(mode)[:40]!r}"
        raise ValueError(message)
    if chosen is None:
        return Request("view", mode=mode, open=None)
    if not isinstance(chosen, list) or len(chosen) > _OPEN:
        message = "the activities to be expanded are no list, or too many"
        raise ValueError(message)
    return Request("view", mode=mode, open=tuple(_checked(number, "open") for number in chosen))


def _number(content: dict[Any, Any], field: str) -> int:
    return _checked(content.get(field), field)


def _checked(value: object, field: str) -> int:
    if type(value) is not int or not 0 <= value <= _MOST:
        message = f"{field} is {str(value)[:40]!r}, which is no row or number"
        raise ValueError(message)
    return value
