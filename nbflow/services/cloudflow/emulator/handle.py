"""An emulator that runs: how it is started, ended and asked for what the service does not do."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from nbflow.core.errors import NbflowError
from nbflow.services.cloudflow.client.client import CloudFlow
from nbflow.services.cloudflow.emulator.actions import Function
from nbflow.services.cloudflow.emulator.limits import Limits
from nbflow.services.cloudflow.emulator.server import CONTROL, MARK, Server
from nbflow.services.cloudflow.errors import CloudFlowError
from nbflow.services.loopback import ask, in_process, in_thread
from nbflow.services.simulation import Emulator


class Endpoint:
    """An emulator that runs somewhere on this machine.

    Attributes:
        url: Its address, for ``CloudFlow(url)``.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def __str__(self) -> str:
        """Give the address, so that it can stand where one is wanted."""
        return self.url

    @property
    def host(self) -> str:
        """Host and port, for ``Config(endpoint=..., protocol="HTTP")`` of the service's library."""
        return urlsplit(self.url).netloc

    def client(self, **settings: Any) -> CloudFlow:
        """Make a client for it; `settings` are those of `CloudFlow`."""
        return CloudFlow(self.url, **settings)

    def advance(self, seconds: float) -> None:
        """Let so many seconds have passed: what was due by then has happened when this returns."""
        self._ask("advance", seconds=seconds)

    def now(self) -> float:
        """Give its time in seconds since the epoch."""
        return float(self._ask("clock")["now"])

    def stats(self) -> dict[str, Any]:
        """Give what it counted so far: ``requests`` by operation."""
        return self._ask("stats")

    def inject(self, kind: str, operation: str = "", **how: float) -> None:
        """Have something go wrong.

        Args:
            kind: ``throttle``, ``unavailable``, ``lost``, ``duplicate``, ``delay`` or
                ``redeliver``.
            operation: Which requests it befalls, "" for all; of ``redeliver`` the queue.
            how: ``times``, ``skip`` and ``seconds``, see `nbflow.services.injection.Injection`.

        Raises:
            NbflowError: There is no such kind or operation.
        """
        self._ask("inject", kind=kind, operation=operation, **how)

    def calm(self) -> None:
        """Take back what is still to go wrong."""
        self._ask("calm")

    def send(self, queue: str, body: str) -> None:
        """Put a message into a queue."""
        self._ask("queue/send", queue=queue, body=body)

    def receive(
        self, queue: str, wait: float = 0.0, visibility: float = 30.0
    ) -> dict[str, Any] | None:
        """Take a message of a queue; None if there is none.

        Args:
            queue: Its name.
            wait: Seconds to wait for one, 30 at most.
            visibility: Seconds after which it is handed out again, unless it is renewed or removed.
        """
        found = self._ask("queue/receive", queue=queue, wait=wait, visibility=visibility)
        message: dict[str, Any] | None = found["message"]
        return message

    def renew(self, queue: str, receipt: str, visibility: float = 30.0) -> None:
        """Keep a message that was taken for longer.

        Raises:
            NbflowError: It was handed out again, or removed.
        """
        self._ask("queue/renew", queue=queue, receipt=receipt, visibility=visibility)

    def remove(self, queue: str, receipt: str) -> None:
        """Remove a message that was taken.

        Raises:
            NbflowError: It was handed out again, or removed.
        """
        self._ask("queue/remove", queue=queue, receipt=receipt)

    def _ask(self, name: str, /, **given: Any) -> dict[str, Any]:
        status, said = ask(self.url, CONTROL + name, {MARK: "1"}, given)
        if status != HTTPStatus.OK:
            raise NbflowError(f"the emulator refused {name}: {said.get('Message')}")
        return said


@contextmanager
def running(  # noqa: PLR0913 - a front door: everything by name
    path: Path | None = None,
    *,
    functions: Mapping[str, Function] | None = None,
    process: bool = False,
    frozen: bool = False,
    limits: Limits | None = None,
    verify: bool = True,
    keys: Mapping[str, str] | None = None,
    seed: str = "",
    port: int = 0,
) -> Iterator[Endpoint]:
    """Run an emulator for as long as the block takes.

    Args:
        path: A file to keep its data in, so that the next one goes on with it; None for none.
        functions: What flows call as functions, by name: callables, which take and give plain
            data, or commands, which read and write JSON.
        process: In a process of its own, which ends with this one; `functions` are commands then.
        frozen: Time passes only by `Endpoint.advance`.
        limits: Its quotas and rates.
        verify: Whether signatures are checked.
        keys: The secret of each access key; by default ``emulator`` for ``emulator``.
        seed: What chance is made of, such as the choice of an alias's version.
        port: By default one that is free.

    Raises:
        NbflowError: It did not start; a callable was given to a process.

    Example:
        >>> with running(functions={"double": lambda body: {"n": body["n"] * 2}}) as endpoint:
        ...     client = endpoint.client()
        ...     client.create_flow("order", Path("order.yaml").read_text())
    """
    limits, functions = limits or Limits(), functions or {}
    if process:
        command = _command(path, functions, limits, keys or {})
        flags = [*(["--frozen"] if frozen else []), *([] if verify else ["--no-verify"])]
        with in_process([*command, *flags, "--seed", seed, "--port", str(port)]) as url:
            yield Endpoint(url)
        return
    server = Server(
        path,
        limits,
        functions=functions,
        keys=keys,
        verify=verify,
        frozen=frozen,
        seed=seed,
    )
    with in_thread(server, port, "nbflow-cloudflow-emulator") as url:
        yield Endpoint(url)


def _command(
    path: Path | None, functions: Mapping[str, Function], limits: Limits, keys: Mapping[str, str]
) -> list[str]:
    usual = asdict(Limits())
    changed = [f for f in fields(limits) if getattr(limits, f.name) != usual[f.name]]
    given = [text for f in changed for text in ("--limit", f"{f.name}={getattr(limits, f.name)}")]
    for name, function in functions.items():
        if not isinstance(function, str):
            raise NbflowError(f"function {name}: give a process commands, not callables")
        given += ["--function", f"{name}={function}"]
    for key, secret in keys.items():
        given += ["--key", f"{key}={secret}"]
    kept = ["--data", str(path)] if path else []
    module = "nbflow.services.cloudflow.emulator"
    return [sys.executable, "-m", module, "--until-eof", *kept, *given]


EMULATOR: Final = Emulator(
    "CloudFlow", "nbflow.services.cloudflow.emulator", ("--data", "data"), Endpoint, CloudFlowError
)
"""How `nbflow.services.simulation` starts and reaches one."""
