"""What the emulator keeps, in SQLite: with a file, a restart loses nothing.

Only the emulator's thread touches it. A request, or anything else that happens, is one transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from nbflow.core.errors import NbflowError

FORMAT: Final = 1
_SCHEMA: Final = """
create table things (
    kind text not null, flow text not null, name text not null, data text not null,
    primary key (kind, flow, name)
) without rowid;
create table executions (
    id integer primary key, flow text not null, name text not null, status text not null,
    started real not null, data text not null, unique (flow, name)
);
create index started on executions (flow, started desc, id desc);
create index open on executions (status);
create table events (
    execution integer not null, id integer not null, data text not null,
    primary key (execution, id)
) without rowid;
create table tokens (
    token text primary key, execution integer not null, task integer not null,
    done integer not null default 0
) without rowid;
create table messages (
    id integer primary key, queue text not null, body text not null, visible real not null,
    taken integer not null default 0, receipt text not null default ''
);
create index waiting on messages (queue, visible);
"""

Data = dict[str, Any]


class Store:
    """The emulator's data.

    Args:
        path: A file; None to keep everything in memory.

    Raises:
        NbflowError: The file is none of an emulator's, or cannot be opened.
    """

    def __init__(self, path: Path | None = None) -> None:
        try:
            # The thread that makes it is not always the one that serves; one at a time uses it.
            self._db = sqlite3.connect(
                str(path or ":memory:"), isolation_level=None, check_same_thread=False
            )
            self._db.execute("pragma journal_mode = wal")
            self._db.execute("pragma synchronous = normal")
            self._prepare(path)
        except sqlite3.Error as error:
            raise NbflowError(f"the emulator cannot keep its data in {path}: {error}") from error

    def _prepare(self, path: Path | None) -> None:
        known = self._db.execute("pragma user_version").fetchone()[0]
        filled = self._db.execute("select count(*) from sqlite_master").fetchone()[0]
        if known == FORMAT:
            return
        if known or filled:
            raise NbflowError(
                f"{path} is no file of this emulator, and is left as it is: name another one"
            )
        self._db.executescript(f"begin; {_SCHEMA} pragma user_version = {FORMAT}; commit;")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Have everything of the block written, or nothing."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    # Flows, versions, aliases, schedules, map runs

    def get(self, kind: str, flow: str, name: str = "") -> Data | None:
        """Give a thing of a flow."""
        sql = "select data from things where kind = ? and flow = ? and name = ?"
        row = self._db.execute(sql, (kind, flow, name)).fetchone()
        return None if row is None else json.loads(row[0])

    def put(self, kind: str, flow: str, name: str, data: Data) -> None:
        """Keep a thing of a flow, in the place of the one of that name if there is one."""
        sql = "insert or replace into things values (?, ?, ?, ?)"
        self._db.execute(sql, (kind, flow, name, json.dumps(data)))

    def remove(self, kind: str, flow: str, name: str) -> bool:
        """Remove a thing; tell whether there was one."""
        sql = "delete from things where kind = ? and flow = ? and name = ?"
        return self._db.execute(sql, (kind, flow, name)).rowcount > 0

    def things(self, kind: str, flow: str | None = None) -> list[tuple[str, str, Data]]:
        """Give the things of a kind, by flow and name."""
        sql = "select flow, name, data from things where kind = ?"
        given: tuple[str, ...] = (kind,)
        if flow is not None:
            sql, given = f"{sql} and flow = ?", (kind, flow)
        rows = self._db.execute(f"{sql} order by flow, name", given)
        return [(row[0], row[1], json.loads(row[2])) for row in rows]

    def forget(self, flow: str) -> None:
        """Remove a flow and all that belongs to it."""
        inside = "(select id from executions where flow = ?)"
        self._db.execute("delete from things where flow = ?", (flow,))
        self._db.execute(f"delete from events where execution in {inside}", (flow,))  # noqa: S608 - no input
        self._db.execute(f"delete from tokens where execution in {inside}", (flow,))  # noqa: S608 - as above
        self._db.execute("delete from executions where flow = ?", (flow,))

    # Executions

    def begin(self, flow: str, name: str, status: str, started: float, data: Data) -> int:
        """Keep a new execution; give its number."""
        sql = "insert into executions (flow, name, status, started, data) values (?, ?, ?, ?, ?)"
        made = self._db.execute(sql, (flow, name, status, started, json.dumps(data)))
        return int(made.lastrowid or 0)

    def change(self, number: int, status: str, data: Data) -> None:
        """Change an execution."""
        sql = "update executions set status = ?, data = ? where id = ?"
        self._db.execute(sql, (status, json.dumps(data), number))

    def execution(self, number: int) -> Data | None:
        """Give an execution by its number."""
        return self._one("id = ?", number)

    def named(self, flow: str, name: str) -> Data | None:
        """Give an execution by its flow's name and its own."""
        return self._one("flow = ? and name = ?", flow, name)

    def _one(self, where: str, *given: Any) -> Data | None:
        found = self.executions(where, given, 1)
        return found[0] if found else None

    def executions(self, where: str, given: tuple[Any, ...], limit: int = -1) -> list[Data]:
        """Give executions, the latest first; `where` is SQL of ours."""
        sql = (
            f"select id, flow, name, status, started, data from executions where {where} "  # noqa: S608 - ours
            "order by started desc, id desc limit ?"
        )
        names = ("id", "flow", "name", "status", "started")
        return [
            {**json.loads(row[5]), **dict(zip(names, row[:5], strict=True))}
            for row in self._db.execute(sql, (*given, limit))
        ]

    def count(self, where: str, *given: Any) -> int:
        """Count executions; `where` is SQL of ours."""
        sql = f"select count(*) from executions where {where}"  # noqa: S608 - ours
        return int(self._db.execute(sql, given).fetchone()[0])

    # Events

    def append(self, execution: int, number: int, data: Data) -> None:
        """Keep an event of an execution."""
        self._db.execute(
            "insert into events values (?, ?, ?)", (execution, number, json.dumps(data))
        )

    def events(self, execution: int, first: int = 1, limit: int = -1) -> list[Data]:
        """Give events of an execution, in order."""
        sql = "select data from events where execution = ? and id >= ? order by id limit ?"
        return [json.loads(row[0]) for row in self._db.execute(sql, (execution, first, limit))]

    # Tokens

    def issue(self, token: str, execution: int, task: int) -> None:
        """Keep a token that answers an event of an execution."""
        sql = "insert or ignore into tokens (token, execution, task) values (?, ?, ?)"
        self._db.execute(sql, (token, execution, task))

    def token(self, token: str) -> tuple[int, int, bool] | None:
        """Give which execution and event a token is of, and whether it is used up."""
        sql = "select execution, task, done from tokens where token = ?"
        row = self._db.execute(sql, (token,)).fetchone()
        return None if row is None else (row[0], row[1], bool(row[2]))

    def use(self, execution: int, task: int | None = None) -> None:
        """Use up the tokens of an event, or all of an execution."""
        self._db.execute(
            "update tokens set done = 1 where execution = ? and (? is null or task = ?)",
            (execution, task, task),
        )

    # Messages

    def send(self, queue: str, body: str, visible: float) -> int:
        """Put a message into a queue."""
        sql = "insert into messages (queue, body, visible) values (?, ?, ?)"
        return int(self._db.execute(sql, (queue, body, visible)).lastrowid or 0)

    def receive(self, queue: str, now: float, until: float, receipt: str) -> Data | None:
        """Take the first message of a queue that can be seen; it is hidden until then."""
        sql = "select id, body, taken from messages where queue = ? and visible <= ? order by id"
        row = self._db.execute(f"{sql} limit 1", (queue, now)).fetchone()
        if row is None:
            return None
        sql = "update messages set visible = ?, taken = taken + 1, receipt = ? where id = ?"
        self._db.execute(sql, (until, receipt, row[0]))
        return {"id": row[0], "body": row[1], "receipt": receipt, "taken": row[2] + 1}

    def hide(self, queue: str, receipt: str, until: float) -> bool:
        """Hide a message that was taken until later; tell whether it is still held by that."""
        sql = "update messages set visible = ? where queue = ? and receipt = ?"
        return self._db.execute(sql, (until, queue, receipt)).rowcount > 0

    def drop(self, queue: str, receipt: str) -> bool:
        """Remove a message that was taken; tell whether it was still held by that."""
        sql = "delete from messages where queue = ? and receipt = ?"
        return self._db.execute(sql, (queue, receipt)).rowcount > 0

    def next_visible(self, queue: str) -> float | None:
        """Say when the next message of a queue can be seen."""
        sql = "select min(visible) from messages where queue = ?"
        found: float | None = self._db.execute(sql, (queue,)).fetchone()[0]
        return found
