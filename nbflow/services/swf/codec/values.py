"""Values as functions of others take and give them: JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from nbflow.core.payload import Stored, pack
from nbflow.services.swf.errors import Invalid


def as_json(call: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Write the arguments of a call for a function that is not of nbflow.

    Returns:
        One positional argument by itself; else ``{"args": [...], "kwargs": {...}}``.

    Raises:
        Invalid: They are not plain.
    """
    whole: Any = {"args": list(args), "kwargs": dict(kwargs)}
    if len(args) == 1 and not kwargs:
        whole = args[0]
    try:
        return json.dumps(whole, allow_nan=False)
    except (TypeError, ValueError) as error:
        said = f"the arguments of {call} go to a Lambda function, so they have to be JSON: {error}"
        raise Invalid(said) from error


def plain_value(text: str | None) -> Stored:
    """Give what a function gave, stored: JSON, or else the text itself."""
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    return pack(value, "the result of a function")
