"""Requests on their way, signed by Alibaba Cloud's own library, and answers or errors back.

It is alibabacloud-tea-openapi that signs and sends, as it does below the library of the service:
so every operation travels the same way, also one that the service's library does not know yet.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from nbflow.services.cloudflow.client.base import Wire
from nbflow.services.cloudflow.client.errors import Invalid, Unreachable, refusal

VERSION: Final = "2019-03-15"
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
EMULATOR_KEY: Final = "emulator"
"""The key and the secret of an emulator: so nobody has to invent any, and none leave by mistake."""
_OWN_HOSTS: Final = ("cn-beijing", "cn-hangzhou", "cn-shanghai", "cn-shenzhen")
_PROXIES: Final = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy")
_THROTTLES: Final = ("Throttling", "Throttling.User", "Throttling.Api", "ResourceThrottled")
_LOST: Final = ("ServerException", "RetryError")
_ADDRESS: Final = re.compile(r"/?\?\S*")
_PERIOD_MS: Final = 200
_CAP_MS: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the service is spoken to. None: from the environment.

    Attributes:
        endpoint: Host, or address with http:// or https://; by default that of the region.
        region: Such as cn-hangzhou; by default of ALIBABA_CLOUD_REGION_ID.
        credential: A client of alibabacloud_credentials, for roles and the like.
        access_key_id: With `access_key_secret`, and `security_token` if it is a passing one.
        signature: ``rpc``, as the service's library signs, or ``acs3``.
        attempts: How often an answer is tried to be had, the first time included.
        connect_timeout: Seconds.
        read_timeout: Seconds; requests that wait for something add what they wait.
    """

    endpoint: str | None = None
    region: str | None = None
    credential: Any = None
    access_key_id: str | None = None
    access_key_secret: str | None = None
    security_token: str | None = None
    signature: str = "rpc"
    attempts: int = 5
    connect_timeout: float = 5.0
    read_timeout: float = 30.0

    def place(self) -> tuple[str, str]:
        """Give the scheme and the host that requests go to.

        Raises:
            Invalid: Nothing says where the service is.
        """
        given = self.endpoint or os.environ.get("NBFLOW_CLOUDFLOW_ENDPOINT")
        if given:
            parts = urlsplit(given if "://" in given else f"//{given}")
            local = parts.hostname in LOOPBACK
            if parts.scheme == "http" and not local:
                raise Invalid(f"{given}: requests leave this machine by https only")
            return parts.scheme or ("http" if local else "https"), parts.netloc
        region = self.region or os.environ.get("ALIBABA_CLOUD_REGION_ID")
        if not region:
            raise Invalid(
                "there is no region: give region= or endpoint=, or set ALIBABA_CLOUD_REGION_ID"
            )
        host = f"{region}.fnf" if region in _OWN_HOSTS else f"fnf.{region}"
        return "https", f"{host}.aliyuncs.com"

    def credentials(self, host: str) -> dict[str, Any]:
        """Give what requests are signed with, as members of the library's configuration."""
        if self.credential is not None:
            return {"credential": self.credential}
        if self.access_key_id:
            return _keys(self.access_key_id, self.access_key_secret, self.security_token)
        if urlsplit(f"//{host}").hostname in LOOPBACK:
            return _keys(EMULATOR_KEY, EMULATOR_KEY, None)
        names = ("ACCESS_KEY_ID", "ACCESS_KEY_SECRET", "SECURITY_TOKEN")
        found = [os.environ.get(f"ALIBABA_CLOUD_{name}") for name in names]
        if found[0] and found[1]:
            return _keys(*found)
        from alibabacloud_credentials.client import Client  # noqa: PLC0415 - heavy

        return {"credential": Client()}


def _keys(key: str | None, secret: str | None, token: str | None) -> dict[str, Any]:
    if not secret:
        raise Invalid("an access key needs its secret: give access_key_secret")
    return {"access_key_id": key, "access_key_secret": secret, "security_token": token}


class Transport:
    """Sends what `Wire` says, and gives the answer's body.

    Raises:
        Invalid: Nothing says where the service is, or a library is missing.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.scheme, self.host = settings.place()
        self._clients: dict[bool, Any] = {}

    def send(self, wire: Wire, *, wait: float = 0.0, repeatable: bool = True) -> dict[str, Any]:
        """Send a request.

        Args:
            wire: The request.
            wait: Seconds that the service may hold the answer back.
            repeatable: Whether a second one does no harm after an answer that was lost.

        Raises:
            Refused: The service said no.
            Unreachable: There was no answer.
        """
        with self._translating(wire.action):
            return _body(wire.action, self._client(repeatable).call_api(*self._made(wire, wait)))

    async def send_async(
        self, wire: Wire, *, wait: float = 0.0, repeatable: bool = True
    ) -> dict[str, Any]:
        """Send a request from a coroutine; see `send`."""
        with self._translating(wire.action):
            client = self._client(repeatable)
            return _body(wire.action, await client.call_api_async(*self._made(wire, wait)))

    def _client(self, repeatable: bool) -> Any:  # noqa: FBT001 - the key of the two
        if repeatable not in self._clients:
            self._clients[repeatable] = self._make(repeatable)
        return self._clients[repeatable]

    def _make(self, repeatable: bool) -> Any:  # noqa: FBT001 - as above
        try:
            from alibabacloud_tea_openapi.client import Client  # noqa: PLC0415 - heavy
            from alibabacloud_tea_openapi.utils_models import Config  # noqa: PLC0415 - heavy
            from darabonba.policy.retry import RetryOptions  # noqa: PLC0415 - heavy
        except ImportError as error:
            raise Invalid(
                f"CloudFlow needs {error.name}: pip install 'jupyter-nbflow[cloudflow]'"
            ) from error
        settings = self.settings
        return Client(
            Config(
                **settings.credentials(self.host),
                endpoint=self.host,
                region_id=settings.region,
                protocol=self.scheme.upper(),
                connect_timeout=round(settings.connect_timeout * 1000),
                read_timeout=round(settings.read_timeout * 1000),
                signature_algorithm="v2" if settings.signature == "rpc" else None,
                retry_options=RetryOptions(_retries(settings.attempts, repeatable=repeatable)),
            )
        )

    def _made(self, wire: Wire, wait: float) -> tuple[Any, Any, Any]:
        from alibabacloud_tea_openapi import utils_models  # noqa: PLC0415 - heavy
        from darabonba.runtime import RuntimeOptions  # noqa: PLC0415 - heavy

        params = utils_models.Params(
            action=wire.action,
            version=VERSION,
            protocol=self.scheme.upper(),
            pathname="/",
            method=wire.method,
            auth_type="AK",
            style="RPC",
            req_body_type="formData",
            body_type="json",
        )
        request = utils_models.OpenApiRequest(query=wire.query, body=wire.body or None)
        read = round((self.settings.read_timeout + wait) * 1000)
        return params, request, RuntimeOptions(read_timeout=read)

    @contextmanager
    def _translating(self, action: str) -> Iterator[None]:
        try:
            yield
        except (Invalid, Unreachable):
            raise
        except Exception as error:  # noqa: BLE001 - the library raises all sorts for what is no JSON
            # Not from the error: that has the address, with the signature and a passing token.
            raise self._translated(action, error) from None

    def _translated(self, action: str, error: Exception) -> Exception:
        data = getattr(error, "data", None)
        code = getattr(error, "code", None)
        if isinstance(data, Mapping) and (data.get("Code") or data.get("code")):
            return refusal(
                action,
                str(data.get("Code") or data["code"]),
                str(data.get("Message") or data.get("message") or "it gave no reason"),
                int(getattr(error, "status_code", None) or data.get("statusCode") or 0),
                str(data.get("RequestId") or data.get("requestId") or ""),
                str(data.get("Recommend") or ""),
            )
        if code == "InvalidCredentials" or "credentials" in type(error).__module__:
            return Invalid(
                f"{action} was not sent, there are no credentials: set "
                "ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET, or give "
                "access_key_id and access_key_secret, or credential"
            )
        reason = _ADDRESS.sub("/?...", str(getattr(error, "message", None) or error))
        return Unreachable(f"no answer to {action} from {self.host}: {reason:.500}{self._hint()}")

    def _hint(self) -> str:
        proxies = [name for name in _PROXIES if os.environ.get(name)]
        if proxies and urlsplit(f"//{self.host}").hostname in LOOPBACK:
            return f". {proxies[0]} is set, and the library uses it for loopback as well: unset it"
        return ""


def _retries(attempts: int, *, repeatable: bool) -> dict[str, Any]:
    """Say to the library when to try again: throttled, or without a answer where that is safe."""
    condition = {
        "maxAttempts": attempts,
        "exception": ["ThrottlingException", *(_LOST if repeatable else ())],
        "errorCode": list(_THROTTLES),
        "backoff": {"policy": "EqualJitter", "period": _PERIOD_MS, "cap": _CAP_MS},
    }
    return {"retryable": attempts > 1, "retryCondition": [condition]}


def _body(action: str, answer: Any) -> dict[str, Any]:
    body = answer.get("body") if isinstance(answer, dict) else None
    if not isinstance(body, dict):
        raise Unreachable(f"the answer to {action} is no JSON object")
    return body
