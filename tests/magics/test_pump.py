"""What the pump takes from a kernel it gives back, in order, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st
from jupyter_client.session import Session
from tornado.ioloop import IOLoop
from tornado.queues import Queue
from zmq.eventloop.zmqstream import ZMQStream

from nbflow.magics import pump
from nbflow.running.watching import meanwhile

KINDS = ["comm_open", "comm_msg", "comm_close", "execute_request", "comm_info_request"]


class Kernel:
    """What the pump sees of a kernel of ipykernel 6; notes what is handled."""

    def __init__(self):
        self.session = Session(key=b"key")
        self.shell_stream = SimpleNamespace(flush=lambda: None)
        self.msg_queue: Any = Queue()
        self.io_loop = SimpleNamespace(add_callback=lambda _: None)
        self.shell_handlers = dict.fromkeys(KINDS, self.handle)
        self.parent: dict[str, Any] = {"cell": 1}
        self._parent_ident = {"shell": b"cell"}
        self.handled: list[tuple[str, int]] = []
        self.states: list[tuple[str, Any]] = []

    def dispatch_shell(self, frames):
        """Stand in the queue's entries."""

    def handle(self, _, __, message):
        self.handled.append((message["header"]["msg_type"], message["content"]["n"]))

    def get_parent(self, _):
        return self.parent

    def set_parent(self, ident, parent, channel):
        self.parent, self._parent_ident[channel] = parent, ident

    def _publish_status(self, state, _):
        self.states.append((state, self.parent.get("content", {}).get("n", "cell")))

    def arrive(self, kind, n):
        """Have a message of a client arrive."""
        parts = self.session.serialize(self.session.msg(kind, {"n": n}))
        frames = [zmq.Frame(part) for part in parts]
        self.msg_queue.put_nowait((n, self.dispatch_shell, (frames,)))

    def note(self, n):
        """Have the kernel write itself a note."""
        self.msg_queue.put_nowait((n, print, ()))

    def left(self):
        """Give the numbers of what is in the queue."""
        return [self.msg_queue.get_nowait()[0] for _ in range(self.msg_queue.qsize())]


@settings(deadline=None)  # a session signs each message
@given(st.lists(st.lists(st.sampled_from([*KINDS, "note"]))))
def test_only_comms_are_handled_and_the_rest_keeps_its_order(batches):
    """However messages arrive, comms are handled in order, and all others are left, in order."""
    kernel, n = Kernel(), 0
    comms: list[tuple[str, int]] = []
    others: list[tuple[str, int]] = []
    pumped = pump.Pump(kernel)
    for batch in batches:
        for kind in batch:
            n += 1
            if kind == "note":
                kernel.note(n)
            else:
                kernel.arrive(kind, n)
            (comms if kind in pump.COMMS else others).append((kind, n))
        pumped.step()
    kernel.arrive("execute_request", n + 1)  # between the last look and the end
    pumped.release()
    assert kernel.handled == comms
    assert kernel.left() == [n for _, n in others] + [n + 1]


def test_clients_see_the_message_handled_and_the_cell_go_on():
    """Busy and idle are said of the comm, then busy of the cell, whose parent is in force again."""
    kernel = Kernel()
    kernel.arrive("comm_msg", 1)
    pump.Pump(kernel).step()
    assert kernel.states == [("busy", 1), ("idle", 1), ("busy", "cell")]
    assert (kernel.parent, kernel._parent_ident) == ({"cell": 1}, {"shell": b"cell"})


def test_a_message_that_was_given_back_can_still_be_opened():
    """The session opens a message once; the pump leaves that to the kernel."""
    kernel = Kernel()
    kernel.arrive("execute_request", 1)
    pumped = pump.Pump(kernel)
    pumped.step()
    pumped.release()
    ((_, _, (frames,)),) = [kernel.msg_queue.get_nowait()]
    _, rest = kernel.session.feed_identities(frames, copy=False)
    message = kernel.session.deserialize(rest, copy=False)
    assert message["content"] == {"n": 1}


def test_an_interrupt_between_taking_and_keeping_loses_nothing():
    """■ at the worst moment is felt, but only when what was taken out is safe."""
    kernel = Kernel()
    pumped = pump.Pump(kernel)
    for n in (1, 2, 3):
        kernel.arrive("execute_request", n)
    get = kernel.msg_queue.get_nowait

    def interrupted():
        item = get()
        signal.raise_signal(signal.SIGINT)
        return item

    kernel.msg_queue.get_nowait = interrupted
    with pytest.raises(KeyboardInterrupt):
        pumped.step()
    kernel.msg_queue.get_nowait = get
    pumped.release()
    assert kernel.left() == [1, 2, 3]


def test_an_interrupt_in_a_handler_leaves_the_next_comms_to_the_kernel():
    """■ in the code of a widget stops the waiting; clicks behind it are handled after the cell."""
    kernel = Kernel()

    def handler(*_):
        signal.raise_signal(signal.SIGINT)

    kernel.shell_handlers["comm_msg"] = handler
    for n in (1, 2, 3):
        kernel.arrive("comm_msg", n)
    pumped = pump.Pump(kernel)
    with pytest.raises(KeyboardInterrupt):
        pumped.step()
    pumped.release()
    assert kernel.left() == [2, 3]
    assert kernel.parent == {"cell": 1}


def test_a_surprise_ends_the_pumping_and_is_told_once(caplog):
    """With an ipykernel that has changed, nothing is lost or raised; debugging says so once."""
    caplog.set_level(logging.DEBUG, "nbflow")
    kernel = Kernel()
    del kernel.shell_handlers["comm_msg"]
    pumped = pump.Pump(kernel)
    kernel.arrive("execute_request", 1)
    kernel.arrive("comm_msg", 2)
    kernel.arrive("comm_msg", 3)
    pumped.step()
    pumped.step()
    pumped.release()
    assert kernel.left() == [3, 1]
    assert [r.getMessage() for r in caplog.records] == [
        "clicks are heard after the cell: this ipykernel is unknown"
    ]


def test_a_kernel_of_another_make_is_waited_in_plainly(shell, monkeypatch, caplog):
    """Where nothing is as in ipykernel, waiting works; debugging says so once."""
    caplog.set_level(logging.DEBUG, "nbflow")
    monkeypatch.setattr(shell.ip, "kernel", SimpleNamespace(_allow_stdin=True), raising=False)
    monkeypatch.setattr(pump, "_pumps", {})
    monkeypatch.setitem(sys.modules, "ipykernel", SimpleNamespace())
    gate = threading.Event()
    shell.ip.user_ns["gate"] = gate
    shell.cell("@nbflow.workflow", "def w(): return nbflow.activity(name='a')(gate.wait)()")
    run = shell.ip.user_ns["w"].on("threads").start()
    with pytest.raises(TimeoutError):
        run.wait(0.2)
    gate.set()
    assert run.wait()
    debugs = [r.getMessage() for r in caplog.records if r.levelno == logging.DEBUG]
    assert debugs.count("clicks are heard after the cell: this ipykernel is unknown") == 1


def test_there_is_nothing_to_pump_without_a_kernel():
    """In a script and in threads, waiting is plain; importing nbflow again adds no second pump."""
    pump.install()
    assert meanwhile.count(pump.pumping) == 1
    with pump.pumping() as tick:
        assert tick is None


def test_what_was_kept_comes_before_what_arrives_later():
    """Also if the socket's stream is about to receive when the cell ends, as after Run All."""
    assert asyncio.run(_cells_in_order()) == [b"0", b"1", b"2", b"3", b"4"]


async def _cells_in_order():
    context = zmq.Context()
    sender, receiver = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
    sender.bind("inproc://cells")
    receiver.connect("inproc://cells")
    loop, lock, seen, over = IOLoop.current(), asyncio.Lock(), [], asyncio.Event()
    stream = ZMQStream(receiver, loop)
    pair = SimpleNamespace(to_socket=receiver, to_stream=stream)
    manager = SimpleNamespace(_shell_channel_to_main=pair)
    thread = SimpleNamespace(parent_thread=threading.current_thread(), manager=manager)
    kernel = SimpleNamespace(shell_channel_thread=thread, io_loop=loop)

    async def receive(frames):
        async with lock:
            cell = frames[0].bytes
            seen.append(cell)
            if cell == b"0":
                inbox = pump.Socket(kernel)
                inbox.give_back(inbox.take())  # waits for a run, and goes on
                sender.send(b"2")
                inbox.give_back(inbox.take())  # waits for another
                sender.send(b"3")
                sender.send(b"4")
            if cell == b"4":
                over.set()

    stream.on_recv(receive, copy=False)
    sender.send(b"0")
    sender.send(b"1")
    await asyncio.wait_for(over.wait(), 10)
    stream.close()
    sender.close()
    context.term()
    return seen
