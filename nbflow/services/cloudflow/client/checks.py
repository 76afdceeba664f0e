"""What the service wants of a value, looked at before it is sent.

The service's own library checks nothing: an empty request travels, and is refused far away. Each
check gives the text that goes over the wire, or says what is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

Check: TypeAlias = Callable[[Any], str]

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}")
DATA_BYTES: Final = 65_536
"""Bytes of an input, an output or an event."""
DEFINITION_BYTES: Final = 1_048_576
STATUSES: Final = ("Starting", "Running", "Stopped", "Succeeded", "Failed", "TimedOut")
_SHOWN: Final = 60


def shown(value: object) -> str:
    """Show a wrong value in a message, shortened."""
    text = repr(value) if isinstance(value, str | int | float | bool) else type(value).__name__
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def name(value: Any) -> str:
    """Check a name of a flow, an execution, an alias or a schedule."""
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise ValueError(
            f"{shown(value)} is no name: 1 to 128 letters, digits, _ and -, beginning with a "
            "letter or _"
        )
    return value


def text(low: int = 0, high: int | None = None) -> Check:
    """Make the check of a text by its characters."""

    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"{shown(value)} is no text")  # noqa: TRY004 - one kind of error for all
        if len(value) < low or (high is not None and len(value) > high):
            most = f"{low} to {high}" if high is not None else f"at least {low}"
            raise ValueError(f"it has {len(value)} characters, and may have {most}")
        return value

    return check


def whole(low: int, high: int | None = None) -> Check:
    """Make the check of a whole number."""

    def check(value: Any) -> str:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(f"{shown(value)} is no whole number")  # noqa: TRY004 - one kind of error for all
        if value < low or (high is not None and value > high):
            bounds = f"{low} to {high}" if high is not None else f"{low} or more"
            raise ValueError(f"{value} is not within {bounds}")
        return str(value)

    return check


def percentage(value: Any) -> str:
    """Check a share in percent."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 100:  # noqa: PLR2004 - percent
        raise ValueError(f"{shown(value)} is no percentage: 0 to 100")
    return str(value)


def flag(value: Any) -> str:
    """Check a boolean; the service reads it as Python writes it."""
    if not isinstance(value, bool):
        raise ValueError(f"{shown(value)} is neither True nor False")  # noqa: TRY004 - one kind of error for all
    return str(value)


def one_of(*values: str) -> Check:
    """Make the check of a word."""

    def check(value: Any) -> str:
        if value not in values:
            raise ValueError(
                f"{shown(value)} is none of {', '.join(v or '(empty)' for v in values)}"
            )
        return str(value)

    return check


def sized(value: str, most: int, what: str) -> str:
    """Give a text back if it has few enough bytes."""
    size = len(value.encode())
    if size > most:
        raise ValueError(f"{what} has {size:,} bytes, and may have {most:,}")
    return value


def data(value: Any) -> str:
    """Check what is given to a flow or by one: a JSON text, or plain data to make one of."""
    if not isinstance(value, str):
        try:
            value = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        except (TypeError, ValueError) as error:
            raise ValueError(f"it is not plain data that JSON has: {error}") from error
        return sized(value, DATA_BYTES, "the data")
    read_json(value)
    return sized(value, DATA_BYTES, "the data")


def read_json(text: str) -> Any:
    """Read a JSON text."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"the text is no JSON: {error}. Give plain data, or JSON") from error


def definition(value: Any) -> str:
    """Check a definition: YAML, or a `FlowDefinition`."""
    written = getattr(value, "to_yaml", None)
    value = written() if callable(written) else value
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a definition is YAML or a FlowDefinition, and not empty")
    return sized(value, DEFINITION_BYTES, "the definition")


def moment(value: Any) -> str:
    """Check a time: a datetime with its zone, or a text as RFC 3339 has it."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{shown(value)} is no time such as 2026-01-31T09:00:00Z") from None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError("a time is a datetime with its zone, or a text such as 2026-01-31T09:00Z")
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def cron(value: Any) -> str:
    """Check the form of a time table: six fields, seconds first, or ``@every 90s``."""
    text(1)(value)
    every = re.fullmatch(r"@every (\d+(\.\d+)?(h|m|s))+", value)
    if every is None and len(value.split()) != 6:  # noqa: PLR2004 - as the message says
        raise ValueError(
            f"{shown(value)} is no time table: six fields, seconds first, such as "
            "'0 30 9 * * *', or '@every 90s'"
        )
    return str(value)


def variables(value: Any) -> str:
    """Check an environment: names and values, both texts."""
    if not isinstance(value, Mapping) or not all(
        isinstance(part, str) for pair in value.items() for part in pair
    ):
        raise ValueError("an environment is a dict of texts by name")
    listed = [{"Name": name_, "Value": held} for name_, held in value.items()]
    return json.dumps({"Variables": listed}, ensure_ascii=False, separators=(",", ":"))


def routes(value: Any) -> str:
    """Check where an alias leads: the weights of one or two versions, 100 in all."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = dict(value)
    if not isinstance(value, Mapping) or not value:
        raise ValueError("an alias leads to versions by weight, such as {'1': 90, '2': 10}")
    for version, weight in value.items():
        whole(0, 100)(weight)
        text(1, 128)(str(version))
    if sum(value.values()) != 100:  # noqa: PLR2004 - percent
        raise ValueError(f"the weights come to {sum(value.values())}, and must to 100")
    listed = [{"Version": str(version), "Weight": weight} for version, weight in value.items()]
    return json.dumps(listed, separators=(",", ":"))
