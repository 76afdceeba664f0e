"""Methods made of requests: the same arguments, and the answer as the result."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, Protocol, TypeVar

from nbflow.services.cloudflow.client.base import Request

P = ParamSpec("P")
A = TypeVar("A")
R = TypeVar("R")


class Sends(Protocol):
    """What has such methods."""

    def send(self, request: Request[R]) -> R:
        """Send a request and give its answer."""

    async def send_async(self, request: Request[R]) -> R:
        """Send a request from a coroutine and give its answer."""


class Sent(Generic[P, A]):
    """A method that makes such a request of its arguments and sends it."""

    def __init__(self, kind: Callable[P, Request[A]]) -> None:
        self._kind = kind
        _explain(self, kind)

    def __get__(self, client: Sends, owner: type | None = None) -> Callable[P, A]:
        """Bind it to a client."""

        def method(*args: P.args, **kwargs: P.kwargs) -> A:
            return client.send(self._kind(*args, **kwargs))

        return update_wrapper(method, self._kind, ("__doc__", "__name__"), ())


class SentAsync(Generic[P, A]):
    """The same for coroutines."""

    def __init__(self, kind: Callable[P, Request[A]]) -> None:
        self._kind = kind
        _explain(self, kind)

    def __get__(
        self, client: Sends, owner: type | None = None
    ) -> Callable[P, Coroutine[Any, Any, A]]:
        """Bind it to a client."""

        async def method(*args: P.args, **kwargs: P.kwargs) -> A:
            return await client.send_async(self._kind(*args, **kwargs))

        return update_wrapper(method, self._kind, ("__doc__", "__name__"), ())


def _explain(method: Any, kind: Any) -> None:
    method.__doc__ = f"{kind.__doc__} Takes what `{kind.__name__}` takes."
