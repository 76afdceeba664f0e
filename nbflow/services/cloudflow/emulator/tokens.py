"""Tokens of calls: of the service's shape, and nobody's guess."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

_SECRET = secrets.token_bytes(32)


def make(flow: str, execution: str, task: int) -> str:
    """Make the token of a call. It is kept, so it need not be read again."""
    head = f"v1#{flow}#{execution}#{task}#"
    mark = hmac.new(_SECRET, head.encode(), hashlib.sha1).digest()
    return base64.b64encode(head.encode() + base64.b64encode(mark)).decode()
