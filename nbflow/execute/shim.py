"""Runs one program in a session of its own, and ends that session when it is over.

It is over once the program has ended, or once nobody waits for it any more: whoever started this
holds the other end of a pipe, which is closed when that process is gone, however it went. Started
as a script, on its own: it imports nothing of nbflow and as little else as it can.
"""

import os
import select
import signal
import sys


def main(life: int, status: int, argv: list[str]) -> None:
    """Run the program.

    Args:
        life: Descriptor of a pipe that reads as ended once nobody waits any more.
        status: Descriptor to write to how the program ended: ``exit 3``, ``signal 9``, or
            ``error`` and why it could not be started.
        argv: The program and its arguments.
    """
    parent = os.getppid()
    heard, told = os.pipe()
    for end in (heard, told):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(told)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # Whoever asks the session to end asks the program; this waits until it has.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pid = os.fork()
    if not pid:
        _become(argv, life, status)
    poll = select.poll()
    poll.register(life, select.POLLIN)
    poll.register(heard, select.POLLIN)
    while True:
        found, how = os.waitpid(pid, os.WNOHANG)
        if found:
            code = os.waitstatus_to_exitcode(how)
            text = f"exit {code}" if code >= 0 else f"signal {-code}"
            os.write(status, f"{text}\n".encode())
            break
        events = dict(poll.poll(1000))
        if life in events or os.getppid() != parent:
            break
        if heard in events:
            os.read(heard, 64)
    os.killpg(0, signal.SIGKILL)  # what the program has left behind, and this


def _become(argv: list[str], life: int, status: int) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    os.set_inheritable(status, False)  # noqa: FBT003 - takes no name
    os.close(life)
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - the point is that there is no shell
    except OSError as error:
        os.write(status, f"error {error.strerror}\n".encode())
    os._exit(127)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
