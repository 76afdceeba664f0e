"""Tokens: texts that a client hands back as it got them, and that nobody can make up."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

from nbflow.services.swf.emulator.faults import invalid

_MARK = 12


def seal(secret: bytes, kind: str, *parts: Any) -> str:
    """Make a token of some plain values. The same values give the same token."""
    body = json.dumps([kind, *parts], separators=(",", ":")).encode()
    mark = hmac.digest(secret, body, hashlib.sha256)[:_MARK]
    return base64.urlsafe_b64encode(mark + body).decode()


def unseal(secret: bytes, kind: str, token: str) -> list[Any]:
    """Give the values that a token was made of.

    Raises:
        Fault: It is none of ours, or one of another kind.
    """
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise invalid("Invalid token") from None
    mark, body = raw[:_MARK], raw[_MARK:]
    if not hmac.compare_digest(mark, hmac.digest(secret, body, hashlib.sha256)[:_MARK]):
        raise invalid("Invalid token")
    found: list[Any] = json.loads(body)
    if found[0] != kind:
        raise invalid("Invalid token")
    return found[1:]
