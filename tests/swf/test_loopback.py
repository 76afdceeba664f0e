"""What emulators share: HTTP on loopback, who goes away while it waits, and what goes wrong."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbflow.core.errors import NbflowError
from nbflow.services.injection import Injections, injection_of, on_its_way
from nbflow.services.loopback import Answered, Forget, Reply, Request, ask, in_thread

HEAD = "POST {} HTTP/1.1\r\nHost: 127.0.0.1:1\r\nContent-Length: {}\r\n\r\n"


class Echo:
    """Gives back what it is sent; /wait waits until /go, and /lost ends without an answer."""

    most = 100

    def __init__(self) -> None:
        self.waiting: list[Answered] = []
        self.forgotten = 0

    def begin(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End."""

    def refusal(self, status: int, message: str) -> Reply:
        return Reply(status, message.encode())

    def handle(self, request: Request, answered: Answered) -> Forget | None:
        if request.target == "/wait":
            self.waiting.append(answered)
            return self.forget
        if request.target == "/go":
            for each in self.waiting:
                each(Reply(200, b"it goes"))
        answered(Reply(200, None if request.target == "/lost" else request.body))
        return None

    def forget(self) -> None:
        self.forgotten += 1


@pytest.fixture
def echo() -> Iterator[tuple[Echo, tuple[str, int]]]:
    service = Echo()
    with in_thread(service, 0, "echo") as url:
        parts = urlsplit(url)
        yield service, (parts.hostname or "", parts.port or 0)


def sent(where: tuple[str, int], *requests: tuple[str, bytes]) -> socket.socket:
    """Send requests in one piece."""
    connection = socket.create_connection(where, timeout=10)
    heads = (HEAD.format(target, len(body)).encode() + body for target, body in requests)
    connection.sendall(b"".join(heads))
    return connection


def bodies(connection: socket.socket, number: int) -> list[bytes]:
    """Read so many answers."""
    with connection.makefile("rb") as file:
        found = []
        for _ in range(number):
            head = []
            while (line := file.readline().strip()) != b"":
                head.append(line)
            length = next(int(x.split()[1]) for x in head if x.startswith(b"Content-Length"))
            found.append(file.read(length))
        return found


def test_requests_that_come_at_once_are_answered_in_their_order(echo: Any):
    """One after the other, also behind one that waits."""
    service, where = echo
    with closing(sent(where, ("/", b"a"), ("/wait", b""), ("/", b"b"), ("/", b"c"))) as first:
        assert bodies(first, 1) == [b"a"]
        while not service.waiting:
            pass
        with closing(sent(where, ("/go", b"!"))) as second:
            assert bodies(second, 1) == [b"!"]
        assert bodies(first, 3) == [b"it goes", b"b", b"c"]
    assert service.forgotten == 0


def test_who_goes_away_while_it_waits_is_forgotten(echo: Any):
    """Once, and only if it has no answer yet."""
    service, where = echo
    gone = sent(where, ("/wait", b""))
    while not service.waiting:
        pass
    gone.close()
    while not service.forgotten:
        pass
    with closing(sent(where, ("/go", b"x"))) as other:
        assert bodies(other, 1) == [b"x"]
    with closing(sent(where, ("/wait", b""))) as served:
        while len(service.waiting) < 2:
            pass
        with closing(sent(where, ("/go", b"y"))) as other:
            bodies(other, 1)
        assert bodies(served, 1) == [b"it goes"]
    with closing(sent(where, ("/", b"z"))) as other:  # handled after the end of the one before
        bodies(other, 1)
    assert service.forgotten == 1


@pytest.mark.parametrize(
    ("raw", "status", "says"),
    [
        (b"POST / HTTP/1.1\r\nHost: evil.example:1\r\n\r\n", b"400", b"to a loopback address"),
        (
            b"POST / HTTP/1.1\r\nHost: localhost:1\r\nContent-Length: x\r\n\r\n",
            b"400",
            b"no number",
        ),
        (
            b"POST / HTTP/1.1\r\nHost: localhost:1\r\nContent-Length: 101\r\n\r\n",
            b"413",
            b"100 byt",
        ),
        (b"x" * 65_537, b"400", b"too long"),
    ],
    ids=["host", "length", "large", "head"],
)
def test_what_is_no_request_is_refused_and_the_connection_ends(
    echo: Any, raw: bytes, status: bytes, says: bytes
):
    """The service says no in its own way, and nothing else is read."""
    with socket.create_connection(echo[1], timeout=10) as connection:
        connection.sendall(raw)
        with connection.makefile("rb") as file:
            said = file.read()
    assert said.startswith(b"HTTP/1.1 " + status)
    assert says in said


def test_an_answer_can_be_lost(echo: Any):
    """The connection ends without a word."""
    with closing(sent(echo[1], ("/lost", b""))) as connection:
        assert connection.recv(1) == b""


def test_who_asks_where_nobody_is_hears_so():
    """The error has the address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(NbflowError, match=f"no emulator answers at {url}"):
        ask(url, "/", {}, {})


@given(st.integers(0, 5), st.integers(1, 5), st.integers(0, 12))
def test_faults_befall_so_many_requests_after_so_many_others(skip: int, times: int, asked: int):
    """No more, no fewer, and no request of another operation or kind."""
    injections = Injections()
    injections.add(
        injection_of({"kind": "lost", "operation": "A", "skip": skip, "times": times}, "AB")
    )
    assert injections.befalls("B") is None
    assert injections.befalls("A", ("other",)) is None
    found = [injections.befalls("A") is not None for _ in range(asked)]
    assert found == [skip <= n < skip + times for n in range(asked)]


def test_an_emulator_may_have_faults_of_its_own():
    """What they befall is no operation; kinds that nobody knows are refused."""
    own = injection_of({"kind": "odd", "operation": "a queue"}, "AB", ("odd",))
    assert own.operation == "a queue"
    for wrong, says in (
        ({"kind": "odd"}, "has a kind of"),
        ({"kind": "lost", "nonsense": 1}, "has a kind of"),
        ({"kind": "lost", "operation": "C"}, "no operation C"),
        ({"kind": "lost", "times": True}, "times must be a number"),
    ):
        with pytest.raises(ValueError, match=says):
            injection_of(wrong, "AB")


def test_answers_without_a_fault_are_as_they_were():
    """Only what is lost or delayed is touched."""
    got: list[Reply] = []
    plain = on_its_way(got.append, injection_of({"kind": "duplicate"}, ""))
    plain(Reply(200, b"x"))
    on_its_way(got.append, injection_of({"kind": "lost"}, ""))(Reply(200, b"x"))
    assert got == [Reply(200, b"x"), Reply(200, None)]
