"""What the calls of a run have printed and logged, as text for people to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nbflow.core.events import CallWrote, Event

_LOG = "log:"


def written(events: Iterable[Event], call: str | None = None) -> str:
    """Give what a log says was written, in its order.

    Args:
        events: The log.
        call: Whose text, as it was written; None for all calls, each line after the id of its
            call, with ``#2`` for the second attempt.
    """
    return "".join(_texts(events, call))


def _texts(events: Iterable[Event], call: str | None) -> Iterator[str]:
    ended = True
    for event in events:
        if type(event) is not CallWrote or (call is not None and event.call != call):
            continue
        if not ended:
            yield "\n"  # the last line of an attempt need not have an end
        text = _labelled(event)
        ended = text.endswith("\n")
        yield text if call is not None else _marked(event, text)


def _labelled(event: CallWrote) -> str:
    if event.channel.startswith(_LOG):
        return f"{event.channel.removeprefix(_LOG)}: {event.text}"
    return event.text


def _marked(event: CallWrote, text: str) -> str:
    mark = event.call if event.attempt == 1 else f"{event.call} #{event.attempt}"
    return "".join(f"{mark} | {line}" for line in _lines(text))


def _lines(text: str) -> list[str]:
    *whole, rest = text.split("\n")
    return [f"{line}\n" for line in whole] + ([rest] if rest else [])
