"""``python -m nbflow.services.cloudflow.emulator``: print the address and serve until ended."""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

from nbflow.core.errors import NbflowError
from nbflow.services.cloudflow.emulator.limits import Limits
from nbflow.services.cloudflow.emulator.server import Server
from nbflow.services.loopback import serve

EPILOG: Final = """\
The address is the first line of the output: clients take it as endpoint, or from
NBFLOW_CLOUDFLOW_ENDPOINT. Access key and secret are "emulator" unless --key says otherwise.
Ctrl-C or SIGTERM ends it. With --data, the next one goes on where this one ended.
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m nbflow.services.cloudflow.emulator",
        description="Emulate Alibaba CloudFlow on this machine.",
        epilog=EPILOG,
    )
    add = parser.add_argument
    names = ", ".join(f.name for f in fields(Limits))
    many: dict[str, Any] = {"action": "append", "default": []}
    add("--host", default="127.0.0.1", help="a loopback address")
    add("--port", type=int, default=0, help="0 for one that is free")
    add("--data", type=Path, metavar="FILE", help="where everything is kept; by default in memory")
    add("--function", **many, metavar="NAME=COMMAND", help="what a function runs: JSON in and out")
    add("--key", **many, metavar="KEY=SECRET", help="an access key that is taken")
    add("--no-verify", action="store_true", help="take any signature")
    add("--frozen", action="store_true", help="time passes only by request")
    add("--seed", default="", help="what chance is made of")
    add("--limit", **many, metavar="NAME=NUMBER", help=f"change a quota, 0 for none: {names}")
    add("--until-eof", action="store_true", help="end when the standard input does")
    return parser


def pairs(option: str, given: list[str]) -> dict[str, str]:
    """Read what was given as ``NAME=VALUE``.

    Raises:
        NbflowError: One has another form.
    """
    found = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise NbflowError(f"{option} {text!r:.80}: write NAME=VALUE")
        found[name] = value
    return found


def limits_of(given: dict[str, str]) -> Limits:
    """Read quotas; ``rates`` is 0 or 1.

    Raises:
        NbflowError: There is no such quota, or its value is no number of 0 or more.
    """
    limits = Limits()
    names = [f.name for f in fields(Limits)]
    for name, text in given.items():
        value = {"True": 1, "False": 0}.get(text, -1)
        value = int(text) if text.isdecimal() else value
        if name not in names or value < 0:
            raise NbflowError(f"--limit {name}={text}: write NAME=NUMBER, of {', '.join(names)}")
        changed: dict[str, Any] = {name: bool(value) if name == "rates" else value}
        limits = replace(limits, **changed)
    return limits


def main(argv: list[str] | None = None) -> int:
    """Run the command; give its exit code."""
    given = _parser().parse_args(argv)
    try:
        server = Server(
            given.data,
            limits_of(pairs("--limit", given.limit)),
            functions=pairs("--function", given.function),
            keys=pairs("--key", given.key),
            verify=not given.no_verify,
            frozen=given.frozen,
            seed=given.seed,
        )
        asyncio.run(serve(server, given.host, given.port, sys.stdin if given.until_eof else None))
    except (NbflowError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
