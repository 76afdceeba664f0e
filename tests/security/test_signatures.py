"""Pickles of a store are loaded only where this user's own signature stands on them."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbflow
from nbflow.core import payload
from nbflow.core.errors import PickleRefused, RemoteError, StoreError, Unserialisable
from nbflow.core.events import CallScheduled, CallSucceeded, RunClosed
from nbflow.core.eventtext import decode, encode
from nbflow.core.payload import Blob, Packed
from nbflow.engine.job import Code, Job, inlined
from nbflow.running.session import sessions
from nbflow.store import seal
from nbflow.store.schema import checksum
from nbflow.store.seal import StoreSeal
from nbflow.store.sqlite import SqliteStore
from nbflow.testing.stores import started


class Evil:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


def evil_text(mark: Path) -> str:
    """Give the pickle of an `Evil` as a log writes it."""
    return base64.b64encode(payload.dumps(Evil(mark), "evil")).decode()


def read(text: str, run: str, own: StoreSeal) -> list[Any]:
    return list(decode(text, run, own))


@nbflow.activity
def make(number: int) -> complex:
    return complex(number, 1)


@nbflow.activity
def fail() -> None:
    raise LookupError(complex(1, 2))


@nbflow.workflow
def flow(first: complex) -> complex:
    total = make(1).result() + make(2).result() + first
    with contextlib.suppress(LookupError):
        fail().result()
    return total


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Give the directory of a store that has a run with pickled values everywhere."""
    directory = tmp_path / "store"
    nbflow.configure(store=str(directory))
    assert flow.start(3j).result() == 3 + 5j
    nbflow.configure(store=":memory:")
    sessions.clear()  # as in another process: what is known of the run is its log
    return directory


@pytest.fixture
def other_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Become somebody with a key of their own."""
    monkeypatch.setenv("NBFLOW_DATA_DIR", str(tmp_path / "other"))


def rows_of(directory: Path) -> list[tuple[int, str]]:
    db = sqlite3.connect(directory / "log.sqlite")
    found = db.execute("SELECT key, events FROM log ORDER BY key").fetchall()
    db.close()
    return found


def write(directory: Path, change: Callable[[str], str]) -> None:
    """Change the events of each row as somebody would who knows the format."""
    db = sqlite3.connect(directory / "log.sqlite")
    for key, text in db.execute("SELECT key, events FROM log").fetchall():
        new = change(text)
        db.execute("UPDATE log SET events = ?, sum = ? WHERE key = ?", (new, checksum(new), key))
    db.commit()
    db.close()


def only_run(directory: Path) -> nbflow.Run[Any]:
    store = SqliteStore(directory)
    return nbflow.attach(store.runs()[0].run, store)


def test_ones_own_pickles_are_loaded(place: Path) -> None:
    """Arguments, results, errors and the result of a run come back in another handle."""
    run = only_run(place)
    assert run.result() == 3 + 5j
    assert run.calls["make-1"].result == 1 + 1j
    assert isinstance(run.calls["fail-1"].error, LookupError)
    signed = [text for _, text in rows_of(place) if '"sig"' in text]
    assert signed


@pytest.mark.case("X5")
def test_a_store_from_elsewhere_can_be_looked_at_but_not_loaded(
    place: Path, other_user: None
) -> None:
    """Lists, graph, profile and JSON are there; a pickle is refused, naming the way to trust."""
    run = only_run(place)
    assert run.status == "completed"
    assert run.calls["make-1"].args == (1,)
    assert "make-1" in run.profile.text()
    assert "make-1" in run.graph.svg()
    with pytest.raises(PickleRefused, match=re.escape(f"nbflow.trust('{place}')")) as caught:
        run.result()
    assert "%nbflow store trust" in str(caught.value)
    with pytest.raises(PickleRefused):
        _ = run.calls["make-1"].result
    assert isinstance(run.calls["fail-1"].error, RemoteError)
    with pytest.raises(PickleRefused):
        run.rerun("make-2", workflow=flow)
    assert [type(event) for event in run.events()][-1] is RunClosed  # nothing was added


@pytest.mark.case("X5")
def test_trust_signs_what_is_there(place: Path, other_user: None) -> None:
    """After an explicit word everything is loaded, and a second time there is nothing to do."""
    account = nbflow.trust(place)
    assert account.figures["values trusted"] > 0
    run = only_run(place)
    assert run.result() == 3 + 5j
    assert run.calls["make-2"].result == 2 + 1j
    assert isinstance(run.calls["fail-1"].error, LookupError)
    assert nbflow.trust(place).figures["values trusted"] == 0


def test_an_unsigned_log_of_an_older_nbflow_needs_trust(place: Path) -> None:
    """Without signatures nothing is loaded, not even in the user's own store."""
    write(place, lambda text: re.sub(r',"sig":"[^"]*"', "", text))
    with pytest.raises(PickleRefused, match="it is not signed"):
        only_run(place).result()
    nbflow.trust(place)
    assert only_run(place).result() == 3 + 5j


@pytest.mark.case("X4")
def test_a_changed_pickle_is_never_loaded(place: Path, tmp_path: Path) -> None:
    """Whoever can write to the file, but has no key, gets no code to run by any way of reading."""
    mark = tmp_path / "pwned"
    evil = evil_text(mark)
    write(place, lambda text: re.sub(r'("\$?pickled?":")[^"]*"', rf'\g<1>{evil}"', text))
    run = only_run(place)
    reads: list[Callable[[], object]] = [
        run.result,
        lambda: run.calls["make-1"].result,
        lambda: run.rerun("make-2", workflow=flow),
    ]
    for read in reads:
        with pytest.raises(PickleRefused, match="its signature does not fit"):
            read()
    assert isinstance(run.calls["fail-1"].error, RemoteError)
    for shown in (run, run.graph, run.profile, run.calls):
        repr(shown)
    assert not mark.exists()


@pytest.mark.parametrize("how", ["$pickle", "\\u0024pickle", "pick\\u006ced"])
def test_no_way_of_writing_a_pickle_gets_around_the_check(
    place: Path, tmp_path: Path, how: str
) -> None:
    """JSON has several ways to write a name: none makes an unsigned pickle look checked."""
    mark = tmp_path / "pwned"
    evil = evil_text(mark)
    names = r'"\$pickle":"[^"]*"' if "$" in how or "24" in how else r'"pickled":"[^"]*"'
    write(
        place,
        lambda text: re.sub(
            r',"sig":"[^"]*"', "", re.sub(names, lambda _: f'"{how}":"{evil}"', text)
        ),
    )
    run = only_run(place)
    for call in run.calls.values():
        for read in ("result", "error"):
            with contextlib.suppress(nbflow.NbflowError):
                getattr(call, read)
    with contextlib.suppress(nbflow.NbflowError):
        run.result()
    assert not mark.exists()


@pytest.mark.case("X4")
def test_values_cannot_be_swapped(place: Path) -> None:
    """A signature is good for one field of one event of one run: not for its neighbour's."""
    (first, second) = re.findall(
        r'\{"\$pickle":"[^"]*","sig":"[^"]*"\}',
        "".join(t for _, t in rows_of(place) if "make-" in t),
    )[:2]
    marker = "@@"
    write(
        place,
        lambda text: text.replace(first, marker).replace(second, first).replace(marker, second),
    )
    with pytest.raises(PickleRefused, match="moved here"):
        _ = only_run(place).calls["make-1"].result


def test_a_signature_is_good_for_its_run_only(tmp_path: Path) -> None:
    """The same event under another run's id is refused."""
    event = CallSucceeded(3, 1.0, "f-1", 1, Packed("pickle", b"abc"), "w", 1.0)
    own = StoreSeal(tmp_path)
    text = encode([event], "a", own)
    (back,) = read(text, "a", own)
    (moved,) = read(text, "b", own)
    assert back.result.refused == ""
    assert "does not fit" in moved.result.refused
    assert back == moved == event


places = st.tuples(st.integers(1, 9), st.sampled_from(["f-1", "f-2"]), st.binary(min_size=1))


@given(places, places)
def test_a_signature_fits_its_own_place_and_bytes_alone(
    one: tuple[int, str, bytes], two: tuple[int, str, bytes]
) -> None:
    """Any other number, call or bytes: refused. The same ones: loaded."""
    own = StoreSeal(Path("/nowhere"))

    def event(place: tuple[int, str, bytes], sig: str = "") -> CallSucceeded:
        return CallSucceeded(
            place[0], 1.0, place[1], 1, Packed("pickle", place[2], sig=sig), "w", 1.0
        )

    (back,) = read(encode([event(one)], "run", own), "run", own)
    forged = encode([event(two, back.result.sig)])
    (found,) = read(forged, "run", own)
    assert (found.result.refused == "") == (one == two)


def test_what_is_refused_is_not_signed_by_being_handed_on(tmp_path: Path) -> None:
    """A run that passes on a refused value must not thereby vouch for it."""
    own = StoreSeal(tmp_path)
    event = CallSucceeded(3, 1.0, "f-1", 1, Packed("pickle", b"abc", "refused"), "w", 1.0)
    (back,) = read(encode([event], "a", own), "a", own)
    assert "not signed" in back.result.refused


def test_blobs_are_signed_by_their_digest(tmp_path: Path) -> None:
    """A large pickle beside the log is refused like one within it; a large JSON text is not."""
    own = StoreSeal(tmp_path)
    args = (Blob("pickle", "ab12", 70_000), Blob("json", "cd34", 70_000))
    event = CallScheduled(2, 1.0, "f-1", "f", args)
    (mine,) = read(encode([event], "a", own), "a", own)
    (others,) = read(encode([event], "b", own), "a", own)
    assert [arg.refused for arg in mine.args] == ["", ""]
    assert [bool(arg.refused) for arg in others.args] == [True, False]


def test_a_refused_blob_is_not_even_fetched(tmp_path: Path) -> None:
    """Nor is it loaded by a worker that its bytes were sent to."""
    fetched: list[str] = []

    def fetch(digest: str) -> bytes:
        fetched.append(digest)
        return payload.dumps(1, "one")

    with pytest.raises(PickleRefused, match="because"):
        payload.unpack(Blob("pickle", "ab12", 70_000, "because"), str, fetch)
    assert fetched == []
    job = Job("r", "f-1", 1, Code("f", abs), (), None, None, None, None, fetch)
    with pytest.raises(PickleRefused, match="because"):
        payload.unpack(inlined(Blob("pickle", "ab12", 70_000, "because"), job), str, fetch)


def test_plain_events_cost_no_signature(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log of numbers and JSON needs no key: none is made, and nothing is signed."""
    monkeypatch.setenv("NBFLOW_DATA_DIR", str(tmp_path / "data"))
    store = SqliteStore(tmp_path / "store")
    store.create("run", started())
    store.append("run", [CallScheduled(2, 1.0, "f-1", "f", (1, "x", Packed("json", "[1]")))])
    assert len(list(store.events("run"))) == 2
    store.close()
    assert not (tmp_path / "data").exists()


# -------------------------------------------------------------------- the directory and the key


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o772])
@pytest.mark.case("S20")
def test_pickles_of_a_directory_that_others_can_write_to_are_refused(
    place: Path, mode: int
) -> None:
    """Whose pickles they are, nobody knows there; the message says how to mend that."""
    place.chmod(mode)
    with pytest.raises(PickleRefused, match=f"chmod go-w {re.escape(str(place))}"):
        only_run(place).result()
    with pytest.raises(StoreError, match="other users can write"):
        nbflow.trust(place)
    place.chmod(0o700)
    assert only_run(place).result() == 3 + 5j


@pytest.mark.case("S20")
def test_files_and_key_are_their_owners_alone(tmp_path: Path, monkeypatch: Any) -> None:
    """Directories 0700 and files 0600, whatever the umask."""
    monkeypatch.setenv("NBFLOW_DATA_DIR", str(tmp_path / "data"))
    before = os.umask(0)
    try:
        store = SqliteStore(tmp_path / "store")
        store.create("run", started())
        store.append("run", [CallScheduled(2, 1.0, "f-1", "f", (Packed("pickle", b"abc"),))])
        store.put(b"x" * 100_000)
    finally:
        os.umask(before)
    for root in (tmp_path / "store", tmp_path / "data"):
        for path in [root, *root.rglob("*")]:
            if path.name != ".gitignore":
                assert path.stat().st_mode & 0o077 == 0, path
    assert len((tmp_path / "data" / "payload.key").read_bytes()) == 32
    store.close()


def test_a_key_that_others_can_read_is_closed_to_them(tmp_path: Path, monkeypatch: Any) -> None:
    """With a warning, since it may be known by now."""
    monkeypatch.setenv("NBFLOW_DATA_DIR", str(tmp_path))
    (tmp_path / "payload.key").write_bytes(b"k" * 32)
    (tmp_path / "payload.key").chmod(0o644)
    with pytest.warns(RuntimeWarning, match="others could read"):
        assert seal.key() == b"k" * 32
    assert (tmp_path / "payload.key").stat().st_mode & 0o777 == 0o600


def test_a_key_that_is_none_is_not_written_over(tmp_path: Path, monkeypatch: Any) -> None:
    """A file of another length is an error that says what to do."""
    monkeypatch.setenv("NBFLOW_DATA_DIR", str(tmp_path))
    (tmp_path / "payload.key").write_bytes(b"short")
    with pytest.raises(StoreError, match="move it away"):
        seal.key()
    assert (tmp_path / "payload.key").read_bytes() == b"short"


def test_processes_that_make_the_key_at_once_agree(tmp_path: Path) -> None:
    """The first one makes it, and all get that one."""
    code = "import sys; sys.stdin.readline(); from nbflow.store.seal import key; print(key().hex())"
    env = {**os.environ, "NBFLOW_DATA_DIR": str(tmp_path)}
    made = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=env,
            text=True,
        )
        for _ in range(3)
    ]
    assert len({process.communicate("\n", timeout=60)[0] for process in made}) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["payload.key"]


def test_without_a_place_for_the_key_runs_still_work(tmp_path: Path, monkeypatch: Any) -> None:
    """A warning says what that means; the key is then this process's alone."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NBFLOW_DATA_DIR", str(tmp_path / "file" / "no"))
    nbflow.configure(store=str(tmp_path / "store"))
    with pytest.warns(RuntimeWarning, match="NBFLOW_DATA_DIR names another place"):
        assert flow.start(3j).result() == 3 + 5j


def test_no_run_is_started_that_could_not_be_resumed(tmp_path: Path) -> None:
    """Where others can write, pickled arguments are refused before anything ran or is kept."""
    tmp_path.chmod(0o775)
    nbflow.configure(store=str(tmp_path))
    with pytest.raises(PickleRefused, match=r"the run was not started.*chmod go-w"):
        flow.start(3j)
    assert list(nbflow.runs()) == []


# -------------------------------------------------------------------- JSON only


def test_json_only_loads_and_keeps_no_pickle(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NBFLOW_ALLOW_PICKLE=0 holds in the one loader: for one's own pickles as well."""
    monkeypatch.setenv("NBFLOW_ALLOW_PICKLE", "0")
    with pytest.raises(PickleRefused, match="NBFLOW_ALLOW_PICKLE=0"):
        only_run(place).result()
    with pytest.raises(Unserialisable, match=r"argument 0 of flow.*NBFLOW_ALLOW_PICKLE=0"):
        flow.start(3j)


@pytest.mark.parametrize("on", ["threads", "processes"])
def test_json_only_runs_what_json_can_hold(on: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers, text and lists work everywhere; a call with another result fails and says why."""
    monkeypatch.setenv("NBFLOW_ALLOW_PICKLE", "0")
    nbflow.configure(on=on, max_workers=1)

    @nbflow.activity
    def double(values: list[int]) -> list[int]:
        return [2 * value for value in values]

    @nbflow.workflow
    def plain(values: list[int]) -> list[int]:
        return double(values).result()

    assert plain.start([1, 2]).result() == [2, 4]

    @nbflow.workflow
    def opaque() -> Any:
        return make(1).result()

    with pytest.raises(Unserialisable, match="NBFLOW_ALLOW_PICKLE=0"):
        opaque.start().result()


def test_only_one_place_unpickles() -> None:
    """No other module of nbflow reads a pickle, so that the check cannot be forgotten."""
    root = Path(nbflow.__file__).parent
    words = re.compile(r"pickle\.loads?\b(?!`)|\bUnpickler\b|marshal\.load|shelve\.")
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if words.search(path.read_text())
    }
    assert found == {"core/pickling.py"}


def test_with_json_only_a_run_of_plain_values_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What holds no pickle needs none to be loaded: numbers, lists and a large text."""
    monkeypatch.setenv("NBFLOW_ALLOW_PICKLE", "0")
    nbflow.configure(store=SqliteStore(tmp_path / "store"))
    broken = [True]

    @nbflow.activity
    def step(n: int, rows: list[int], text: str = "") -> str:
        if n and broken:
            raise OSError("not yet")
        return "x" * 70_000

    @nbflow.workflow
    def flow(rows: list[int]) -> int:
        return len(step(1, rows, text=step(0, rows)).result())

    run = flow.start([1, 2])
    with pytest.raises(RemoteError, match="not yet"):
        run.result(20)
    broken.clear()
    assert run.resume(flow).result(20) == 70_000
