"""What there is: flows with their versions and aliases, and the host of their executions."""

from __future__ import annotations

import random
from typing import Protocol

from nbflow.services.cloudflow.emulator.faults import Fault
from nbflow.services.cloudflow.emulator.limits import Limits
from nbflow.services.cloudflow.emulator.store import Data, Store
from nbflow.services.loopback import Clock


class Hosting(Protocol):
    """What runs executions."""

    def start(self, given: Data, *, express: bool = False) -> Data:
        """Start an execution, or give the one of that name that runs."""

    def stop(self, flow: str, name: str, error: str, cause: str) -> Data:
        """Have an execution end."""

    def report(self, token: str, kind: str, detail: Data) -> int:
        """Take in what somebody says of a call by its token."""

    def adjust(self, execution: int, map_run: str, changed: Data) -> None:
        """Change how the executions of a distributed Map are started."""

    def forget(self, flow: str) -> None:
        """Let the executions of a flow go no further: it is deleted."""


class World:
    """Everything that operations work on.

    Args:
        store: What is kept.
        limits: The quotas.
        clock: The emulator's time.
        seed: What chance is made of; "" for any.

    Attributes:
        host: Runs the executions.
        region: The region that it plays.
    """

    host: Hosting

    def __init__(self, store: Store, limits: Limits, clock: Clock, seed: str = "") -> None:
        self.store, self.limits, self.clock = store, limits, clock
        self.chance = random.Random(seed or None)
        self.region = "cn-emulator"
        self.stirred = False

    @property
    def now(self) -> float:
        """The time in seconds since the epoch."""
        return self.clock.now()

    def changed(self) -> None:
        """Have the timer looked at again after this request."""
        self.stirred = True

    def start(self, given: Data) -> None:
        """Start an execution that no request asks for; what is wrong with it ends it."""
        try:
            self.host.start(given)
        except Fault:
            # A time table has nobody to tell: the service writes this to its own log.
            return

    def flow(self, name: str) -> Data:
        """Give a flow.

        Raises:
            Fault: There is none of that name.
        """
        found = self.store.get("flow", name)
        if found is None:
            raise Fault("FlowNotExists", name)
        return found

    def version(self, flow: str, version: str) -> Data:
        """Give a version of a flow.

        Raises:
            Fault: There is none of that number.
        """
        found = self.store.get("version", flow, version)
        if found is None:
            raise Fault("FlowVersionNotExists", version, flow)
        return found

    def alias(self, flow: str, name: str) -> Data:
        """Give an alias of a flow.

        Raises:
            Fault: There is no such flow, or no such alias.
        """
        self.flow(flow)
        found = self.store.get("alias", flow, name)
        if found is None:
            raise Fault("FlowAliasNotExists", name, flow)
        return found

    def qualified(self, flow: str, qualifier: str | None) -> tuple[Data, str]:
        """Give a flow as a qualifier has it, and the version that this is ("" for none).

        Args:
            flow: Its name.
            qualifier: A version's number, an alias, or ``LATEST`` or nothing for what it is now.

        Raises:
            Fault: There is no such flow, version or alias.
        """
        data = self.flow(flow)
        if not qualifier or qualifier == "LATEST":
            return data, ""
        version = qualifier
        if not qualifier.isdecimal():
            routes = self.alias(flow, qualifier)["RoutingConfigurations"]
            weights = [route["Weight"] for route in routes]
            version = str(self.chance.choices([r["Version"] for r in routes], weights)[0])
        return {**data, **self.version(flow, version)}, version
