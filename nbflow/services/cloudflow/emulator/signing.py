"""Both signatures of Alibaba Cloud, made again and compared.

Source: help.aliyun.com, documents 315526 (requests in the address, HMAC-SHA1) and 2712569
(ACS3-HMAC-SHA256).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, quote

from nbflow.services.cloudflow.emulator.faults import Fault

_ACS3: Final = "ACS3-HMAC-SHA256"


class Sent(NamedTuple):
    """A request, taken apart.

    Attributes:
        method: GET or POST.
        query: What stands in the address.
        form: What stands in the body.
        headers: By names in lower case.
        body: The body as it came.
    """

    method: str
    query: dict[str, str]
    form: dict[str, str]
    headers: dict[str, str]
    body: bytes


def take_apart(method: str, target: str, headers: dict[str, str], body: bytes) -> Sent:
    """Take a request apart."""
    query = dict(parse_qsl(target.partition("?")[2], keep_blank_values=True))
    form: dict[str, str] = {}
    if "x-www-form-urlencoded" in headers.get("content-type", ""):
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    return Sent(method, query, form, headers, body)


def check(sent: Sent, secrets: Mapping[str, str], now: float, skew: float) -> None:
    """Check who sent a request, and that it is the one that was signed.

    Args:
        sent: The request.
        secrets: The secret of each key.
        now: The time in seconds since the epoch.
        skew: Seconds that the request's time may be off; 0 for any.

    Raises:
        Fault: The key, the time or the signature is wrong.
    """
    given = sent.headers.get("authorization", "")
    if given.startswith(_ACS3):
        parts = dict(p.strip().partition("=")[::2] for p in given[len(_ACS3) :].split(","))
        key, signature = parts.get("Credential", ""), parts.get("Signature", "")
        made = _acs3(sent, _secret(secrets, key), parts.get("SignedHeaders", "").split(";"))
        when = sent.headers.get("x-acs-date", "")
    else:
        key, signature = sent.query.get("AccessKeyId", ""), sent.query.get("Signature", "")
        if not key:
            raise Fault("MissingRequiredParams", "AccessKeyId")
        made = _rpc(sent, _secret(secrets, key))
        when = sent.query.get("Timestamp", "")
    if not hmac.compare_digest(made.encode(), signature.encode()):
        raise Fault("SignatureNotMatch")
    _on_time(when, now, skew)


def _secret(secrets: Mapping[str, str], key: str) -> str:
    if key not in secrets:
        raise Fault("InvalidAccessKeyID", key)
    return secrets[key]


def _on_time(when: str, now: float, skew: float) -> None:
    try:
        sent = datetime.fromisoformat(when).timestamp()
    except ValueError:
        raise Fault("MissingRequiredParams", "Timestamp") from None
    if skew and abs(sent - now) > skew:
        current = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        raise Fault("RequestTimeTooSkewed", when, current)


def _encoded(text: str) -> str:
    return quote(text, safe="~")


def _canonical(query: Mapping[str, str]) -> str:
    return "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in sorted(query.items()))


def _rpc(sent: Sent, secret: str) -> str:
    signed = {k: v for k, v in {**sent.query, **sent.form}.items() if k != "Signature"}
    text = f"{sent.method}&%2F&{_encoded(_canonical(signed))}"
    made = hmac.new(f"{secret}&".encode(), text.encode(), hashlib.sha1)
    return base64.b64encode(made.digest()).decode()


def _acs3(sent: Sent, secret: str, names: list[str]) -> str:
    digest = hashlib.sha256(sent.body).hexdigest()
    if digest != sent.headers.get("x-acs-content-sha256"):
        raise Fault("SignatureNotMatch")
    headers = "".join(f"{name}:{sent.headers.get(name, '')}\n" for name in names)
    lines = (sent.method, "/", _canonical(sent.query), headers, ";".join(names), digest)
    text = f"{_ACS3}\n{hashlib.sha256(chr(10).join(lines).encode()).hexdigest()}"
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
