"""What flows call: functions, queues and addresses on this machine. Other flows are the host's.

Functions and requests run in threads of their own, so that the emulator goes on meanwhile.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from nbflow.services.cloudflow.errors import ActionError
from nbflow.services.loopback import LOOPBACK

Function = Callable[[Any], Any] | str
"""A callable that takes the body and gives plain data, or a command that reads and writes JSON."""

_QUEUE: Final = re.compile(r"acs:mns:.*:/(queues|topics)/([^/]+)/messages")
_FC: Final = re.compile(r"acs:fc:.*(?:functions|services)/.*")
_SECONDS: Final = 300.0
_SHOWN: Final = 4000


class Failed(Exception):
    """A call failed, with the error that a flow can catch it by.

    Attributes:
        error: The error's name, such as ``FC.Unknown``.
        cause: What happened.
    """

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error, self.cause = error, cause[:_SHOWN]


@dataclass(frozen=True, slots=True)
class Actions:
    """What can be called.

    Attributes:
        functions: The functions of Function Compute, by the last part of their names.
        base: The address of the emulator, for commands.
    """

    functions: Mapping[str, Function]

    def function(self, arn: str) -> tuple[str, Function]:
        """Find a function.

        Raises:
            Failed: There is none of that name.
        """
        name = function_name(arn)
        found = self.functions.get(name)
        if found is None:
            known = ", ".join(sorted(self.functions)) or "none"
            raise Failed(
                "FC.FunctionNotFound", f"there is no function {name!r:.80}; known: {known}"
            )
        return name, found

    def call(self, arn: str, body: Any) -> Any:
        """Call a function, and give what it gives.

        Raises:
            Failed: It failed: ``FC.Unknown`` is a command's; a callable's is its exception's name,
                or what an `ActionError` says.
        """
        name, function = self.function(arn)
        given = _copied(name, body)
        if isinstance(function, str):
            return _command(name, function, given)
        try:
            result = function(given)
        except ActionError as error:
            raise Failed(error.code, error.cause) from error
        except Exception as error:
            raise Failed(type(error).__name__, str(error)) from error
        return _copied(name, result)


def function_name(arn: str) -> str:
    """Give the name of a function, without a version behind it."""
    parts = [part for part in re.split(r"[/:]", arn) if part]
    if "functions" in parts[:-1]:
        return parts[parts.index("functions") + 1]
    return parts[-1] if parts else ""


def queue_name(arn: str) -> str | None:
    """Give the name of a queue or a topic; None if it is no such resource."""
    found = _QUEUE.fullmatch(arn)
    return found[2] if found else None


def is_function(arn: str) -> bool:
    """Whether a resource is a function."""
    return _FC.fullmatch(arn) is not None


def _copied(name: str, value: Any) -> Any:
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise Failed("FC.Unknown", f"{name}: no plain data that JSON has: {error}") from error


def _command(name: str, command: str, body: Any) -> Any:
    try:
        done = subprocess.run(  # noqa: S603 - the user named this command
            shlex.split(command),
            input=json.dumps(body),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed("FC.Unknown", f"{name}: {error}") from error
    if done.returncode:
        raise Failed("FC.Unknown", f"{name} ended with code {done.returncode}: {done.stderr}")
    try:
        return json.loads(done.stdout) if done.stdout.strip() else {}
    except ValueError as error:
        raise Failed("FC.Unknown", f"{name} wrote no JSON: {error}") from error


class _NoDetour(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: it could lead away from this machine."""

    def redirect_request(self, *_: Any) -> None:
        """Go nowhere."""


def http(url: str, method: str, headers: Mapping[str, Any], body: Any) -> dict[str, Any]:
    """Send a request to an address on loopback.

    Raises:
        Failed: It is elsewhere, or gave no answer.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in LOOPBACK:
        raise Failed(
            "HTTP.Forbidden", f"the emulator reaches loopback by http only, not {url:.200}"
        )
    text = body if isinstance(body, str) else json.dumps(body)
    data = None if body is None else text.encode()
    sent = {str(name): str(value) for name, value in headers.items()}
    request = urllib.request.Request(url, data, sent, method=method.upper())  # noqa: S310 - above
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoDetour)
    try:
        with opener.open(request, timeout=_SECONDS) as answer:
            return _answer(answer, answer.status)
    except urllib.error.HTTPError as error:
        return _answer(error, error.code)
    except OSError as error:
        raise Failed("HTTP.Unreachable", f"{url:.200}: {error}") from error


def _answer(answer: Any, status: int) -> dict[str, Any]:
    body = answer.read().decode("utf-8", "replace")
    return {"Header": dict(answer.headers.items()), "Code": status, "Body": body}
