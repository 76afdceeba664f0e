"""``python -m nbflow.services.swf.emulator``: print the address and serve until ended."""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from nbflow.core.errors import NbflowError
from nbflow.services.loopback import serve
from nbflow.services.swf.emulator.limits import Limits
from nbflow.services.swf.emulator.recording import Recorded
from nbflow.services.swf.emulator.server import Server

_EPILOG = """\
The address is the first line of the output. Point clients to it by AWS_ENDPOINT_URL or
endpoint_url. Ctrl-C or SIGTERM ends it; nothing is kept, but for what --record FILE keeps.
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m nbflow.services.swf.emulator",
        description="Emulate Amazon SWF on this machine.",
        epilog=_EPILOG,
    )
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--port", type=int, default=0, help="0 for one that is free")
    parser.add_argument("--frozen", action="store_true", help="time passes only by request")
    parser.add_argument("--seed", default="", help="what run ids and tokens are made of")
    parser.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help=f"change a quota: {', '.join(f.name for f in fields(Limits))}",
    )
    parser.add_argument(
        "--record",
        metavar="FILE",
        type=Path,
        help="keep what is asked in a file, and go on from what it has",
    )
    parser.add_argument("--until-eof", action="store_true", help="end when the standard input does")
    return parser


def _limits(given: list[str]) -> Limits:
    limits = Limits()
    for text in given:
        name, _, number = text.partition("=")
        try:
            value: Any = float(number) if name == "poll" else int(number)
            limits = replace(limits, **{name: value})
        except (TypeError, ValueError):
            names = ", ".join(f.name for f in fields(Limits))
            raise NbflowError(f"--limit {text}: write NAME=NUMBER, with one of {names}") from None
    return limits


def main(argv: list[str] | None = None) -> int:
    """Run the command; give its exit code."""
    given = _parser().parse_args(argv)
    try:
        limits = _limits(given.limit)
        machine = Recorded(given.record, limits) if given.record else None
        server = Server(limits, seed=given.seed, frozen=given.frozen, machine=machine)
        ends = sys.stdin if given.until_eof else None
        asyncio.run(serve(server, given.host, given.port, ends))
    except (NbflowError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
