"""The built-in functions of the new language. All but `uuid` and `randomInt` are pure.

Where the public description gives a name and no signature (`get`, `intAdd`, `randomInt`,
`regexMatchString`, `jsonToString`), arguments are in the order that is usual in Go, in which the
service is written.

Source: help.aliyun.com, document 2579872.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import uuid
from collections.abc import Callable
from random import Random
from typing import Any, Final, NamedTuple

from nbflow.services.cloudflow.errors import EvaluationError

_REGEX_BYTES: Final = 8 << 20
"""Memory that a compiled pattern may take; one that needs more is refused."""

HASHES: Final = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-512": "sha512"}


class Built(NamedTuple):
    """A built-in function: what computes it, and how many arguments it takes.

    Attributes:
        compute: Takes the source of chance, then the arguments.
        least: Fewest arguments.
        most: Most arguments, None without an end.
    """

    compute: Callable[..., Any]
    least: int
    most: int | None


def text_of(value: object) -> str:
    """Write a value as CloudFlow puts it into text: strings as they are, the rest as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def same(left: object, right: object) -> bool:
    """Tell whether two JSON values are equal; unlike in Python, ``true`` is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return left == right


def _want(value: object, kind: type | tuple[type, ...], words: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        raise EvaluationError(f"{words} is expected, not {text_of(value)[:80]}")
    return value


def _texts(*values: object) -> list[str]:
    return [_want(value, str, "a string") for value in values]


def _array_contains(_: Random, array: object, item: object) -> bool:
    return any(same(item, each) for each in _want(array, list, "an array"))


def _array_unique(_: Random, array: object) -> list[Any]:
    found: list[Any] = []
    for item in _want(array, list, "an array"):
        if not any(same(item, each) for each in found):
            found.append(item)
    return found


def _format(_: Random, template: object, *values: object) -> str:
    pieces = _want(template, str, "a string").split("{}")
    if len(pieces) != len(values) + 1:
        raise EvaluationError(
            f"the format {template!r} has {len(pieces) - 1} places for {len(values)} values"
        )
    filled = [text_of(value) + piece for value, piece in zip(values, pieces[1:], strict=True)]
    return "".join([pieces[0], *filled])


def _length(_: Random, value: object) -> int:
    return len(_want(value, (str, list, dict), "a string, an array or an object"))


def _regex(_: Random, pattern: object, value: object) -> bool:
    wanted, text = _texts(pattern, value)
    try:
        # The service's own engine. Its time is linear in the text: Python's may take for ever.
        import re2  # type: ignore[import-not-found,import-untyped,unused-ignore] # noqa: PLC0415
    except ImportError as error:
        raise EvaluationError(
            "it needs google-re2: pip install 'jupyter-nbflow[cloudflow]'"
        ) from error
    options = re2.Options()
    options.log_errors, options.max_mem = False, _REGEX_BYTES
    try:
        return re2.search(wanted, text, options) is not None
    except re2.error as error:
        said = error.args[0].decode("utf-8", "replace") if error.args else error
        raise EvaluationError(f"{wanted!r:.200} is no regular expression: {said}") from error


def _split(_: Random, value: object, separator: object) -> list[str]:
    text, mark = _texts(value, separator)
    return text.split(mark) if mark else list(text)


def _merge(_: Random, left: object, right: object) -> dict[str, Any]:
    return {**_want(left, dict, "an object"), **_want(right, dict, "an object")}


def _from_json(_: Random, value: object) -> Any:
    try:
        return json.loads(_want(value, str, "a string"))
    except ValueError as error:
        raise EvaluationError(f"the text is no JSON: {error}") from error


def _to_base64(_: Random, value: object) -> str:
    return base64.b64encode(_texts(value)[0].encode()).decode()


def _from_base64(_: Random, value: object) -> str:
    try:
        return base64.b64decode(_texts(value)[0], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise EvaluationError(f"the text is no UTF-8 in base64: {error}") from error


def _hash(_: Random, value: object, algorithm: object) -> str:
    text, name = _texts(value, algorithm)
    if name not in HASHES:
        raise EvaluationError(f"there is no hash {name!r}; there are {', '.join(HASHES)}")
    return hashlib.new(HASHES[name], text.encode(), usedforsecurity=False).hexdigest()


def _get(_: Random, whole: object, key: object) -> Any:
    if isinstance(whole, dict) and isinstance(key, str) and key in whole:
        return whole[key]
    numbered = isinstance(whole, list) and isinstance(key, int) and not isinstance(key, bool)
    if numbered and 0 <= key < len(whole):  # type: ignore[operator,arg-type]
        return whole[key]  # type: ignore[index]
    raise EvaluationError(f"there is nothing at {text_of(key)[:80]}")


def _add(_: Random, left: object, right: object) -> int:
    return int(_want(left, int, "an integer") + _want(right, int, "an integer"))


def _random(chance: Random, low: object, high: object) -> int:
    least, end = _want(low, int, "an integer"), _want(high, int, "an integer")
    if least >= end:
        raise EvaluationError(f"there is no integer from {least} to below {end}")
    return chance.randrange(least, end)


BUILT_IN: Final[dict[str, Built]] = {
    "arrayContains": Built(_array_contains, 2, 2),
    "arrayUnique": Built(_array_unique, 1, 1),
    "toArray": Built(lambda _, *items: list(items), 0, None),
    "format": Built(_format, 1, None),
    "length": Built(_length, 1, 1),
    "regexMatchString": Built(_regex, 2, 2),
    "split": Built(_split, 2, 2),
    "mapKeys": Built(lambda _, value: list(_want(value, dict, "an object")), 1, 1),
    "mapValues": Built(lambda _, value: list(_want(value, dict, "an object").values()), 1, 1),
    "jsonMerge": Built(_merge, 2, 2),
    "stringToJson": Built(_from_json, 1, 1),
    "fromJSON": Built(_from_json, 1, 1),
    "jsonToString": Built(
        lambda _, value: json.dumps(value, ensure_ascii=False, separators=(",", ":")), 1, 1
    ),
    "toBase64": Built(_to_base64, 1, 1),
    "fromBase64": Built(_from_base64, 1, 1),
    "hash": Built(_hash, 2, 2),
    "uuid": Built(lambda chance: str(uuid.UUID(int=chance.getrandbits(128), version=4)), 0, 0),
    "get": Built(_get, 2, 2),
    "intAdd": Built(_add, 2, 2),
    "randomInt": Built(_random, 2, 2),
}
"""Every built-in function by its name."""
