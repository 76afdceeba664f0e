"""What activities print and log: how it becomes lines, what is kept, and where it goes."""

from __future__ import annotations

import contextlib
import contextvars
import gc
import io
import json
import logging
import subprocess
import sys
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbflow
from nbflow.core.errors import DefinitionError, RunError
from nbflow.core.events import CallFailed, CallSucceeded, CallWrote, RunClosed
from nbflow.core.graph import Graph
from nbflow.core.history import History
from nbflow.core.profile import Profile
from nbflow.engine import streams
from nbflow.engine.output import Rules, Scribe, Transcript
from nbflow.testing import Gate, make_job
from nbflow.testing.checks import eventually
from tests.engine.parts import Watched

WAIT = 30
PLACES = ["threads", "inline", "asyncio"]


def of(run: nbflow.Run[Any], kind: Any) -> list[Any]:
    """Give the events of one kind."""
    return [event for event in run.events() if isinstance(event, kind)]


def once(fn: Any, place: Any = "threads", **options: Any) -> nbflow.Run[Any]:
    """Run a function as the one call of a run, to its end."""
    act = nbflow.activity(name="act", **options)(fn)

    @nbflow.workflow
    def flow() -> Any:
        return act().result()

    run = flow.on(place).start()
    run.wait(WAIT)
    return run


def texts(run: nbflow.Run[Any], channel: str = "stdout") -> str:
    """Give all that came on one channel."""
    return "".join(e.text for e in of(run, CallWrote) if e.channel == channel)


@pytest.fixture(autouse=True)
def streams_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the rules and the streams as they were."""
    monkeypatch.setattr(streams._state, "rules", Rules())
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)


# -------------------------------------------------------------------- lines


def shown(*writes: str, limit: int = 1000) -> str:
    """Write to one channel, and give all that is kept of it."""
    words = Transcript(limit)
    for text in writes:
        words.write("stdout", text)
    return "".join(text for _, text in words.end())


@given(st.lists(st.text(st.characters(exclude_characters="\r", codec="utf-8"))))
def test_without_carriage_returns_text_is_kept_as_it_is(writes: list[str]) -> None:
    """However it was cut into writes, what is kept is what was written."""
    assert shown(*writes, limit=10**9) == "".join(writes)


@given(st.text("ab\r\n", max_size=30), st.data())
def test_lines_look_as_on_a_terminal(text: str, data: st.DataObject) -> None:
    """A carriage return leads to the beginning of the line, whose characters are then replaced."""
    cut = data.draw(st.integers(0, len(text)))
    rows: list[list[str]] = [[]]
    at = 0
    rewritten = False
    for char in text:
        if char == "\n":
            rows.append([])
            at = 0
        elif char == "\r":
            at = 0
        else:
            rewritten = rewritten or at < len(rows[-1])
            rows[-1][at : at + 1] = [char]
            at += 1
    assert shown(text[:cut], text[cut:]) == "\n".join("".join(row) for row in rows)


@pytest.mark.parametrize(
    ("writes", "kept"),
    [
        pytest.param([f"\r{n:3}%|{'#' * n}" for n in range(101)], "100%|" + "#" * 100, id="bar"),
        pytest.param(["\r 50%", "\r     ", "\r", "next\n"], "next\n", id="a bar that leaves"),
        pytest.param(["\r 50%", "\r     ", "\r"], "", id="a bar that leaves nothing"),
        pytest.param(["\r\x1b[31mred\x1b[0m", "\rok\n"], "ok\n", id="colours"),
        pytest.param(["windows\r\n"], "windows\n", id="windows"),
        pytest.param(["a\ud800b\n"], "a\\ud800b\n", id="lone surrogate"),
        pytest.param(["\x00\x07\x7f"], "\x00\x07\x7f", id="control characters"),
    ],
)
def test_what_is_kept_of_a_line(writes: list[str], kept: str) -> None:
    """A line is kept as it looked last, in characters that any encoder takes."""
    assert shown(*writes) == kept


def test_ten_thousand_states_of_a_bar_are_one_line() -> None:
    """While a bar grows nothing is stored, and in the end its last state is."""
    words = Transcript(1000)
    for n in range(10_000):
        words.write("stderr", f"\r{n}/10000")
        assert not words.has_lines()
    assert words.unfinished() == {"stderr": "9999/10000"}
    assert words.end() == [("stderr", "9999/10000")]


def test_neighbours_of_a_channel_come_as_one() -> None:
    """Lines keep their order across channels."""
    words = Transcript(1000)
    for channel, text in [
        ("stdout", "a\n"),
        ("stdout", "b\nc"),
        ("stderr", "x\n"),
        ("stdout", "\n"),
    ]:
        words.write(channel, text)
    assert words.take() == [("stdout", "a\nb\n"), ("stderr", "x\n"), ("stdout", "c\n")]
    assert words.take() == []


@given(
    st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.text("ab\n", max_size=20))),
    st.integers(0, 40),
)
@pytest.mark.case("U13")
def test_beyond_the_limit_all_is_counted(writes: list[tuple[str, str]], limit: int) -> None:
    """What is kept and what is said to be dropped are together what was written."""
    words = Transcript(limit)
    for channel, text in writes:
        words.write(channel, text)
    total = sum(len(text) for _, text in writes)
    kept = sum(len(text) for _, text in words.rest())
    assert kept == min(total, limit)
    assert words.dropped == total - kept


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (64 * 1024, "64 KiB"),
        (10_000_000, "10 MB"),
        (2 * 1024**2, "2 MiB"),
        (777, "777 characters"),
        (0, "0 characters"),
    ],
)
def test_a_long_line_is_cut_and_the_rest_is_counted(limit: int, said: str) -> None:
    """One line says how much there was more."""
    kept = shown("x" * 11_000_000, limit=limit)
    rest = f"{11_000_000 - limit:,}"
    notice = f"… more than {said}: the rest is not kept ({rest} characters dropped)\n"
    assert kept == "x" * limit + notice


def test_many_threads_may_write_at_once() -> None:
    """No line is lost or torn, though nobody waits for anybody."""
    words = Transcript(10**9)
    found: list[str] = []
    over = threading.Event()

    def write(name: str) -> None:
        for n in range(2000):
            words.write(name, f"{name} {n}\n")

    def read() -> None:
        while not over.is_set():
            found.extend(text for _, text in words.take())

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    reader = threading.Thread(target=read)
    for thread in [*threads, reader]:
        thread.start()
    for thread in threads:
        thread.join()
    over.set()
    reader.join()
    found.extend(text for _, text in words.end())
    lines = "".join(found).splitlines()
    for name in "abc":
        assert [line for line in lines if line[0] == name] == [f"{name} {n}" for n in range(2000)]


# -------------------------------------------------------------------- into the log


@pytest.mark.parametrize("place", PLACES)
def test_text_is_written_before_the_end_of_its_attempt(place: str) -> None:
    """Success or failure: what an attempt wrote comes first, with its call and its number."""

    def act() -> None:
        print("attempt", nbflow.context().attempt)
        raise ValueError

    run = once(act, place, retry=nbflow.Retry(attempts=2, wait=0))
    story = [e for e in run.events() if isinstance(e, CallWrote | CallFailed)]
    assert [(type(e).__name__, e.attempt) for e in story] == [
        ("CallWrote", 1),
        ("CallFailed", 1),
        ("CallWrote", 2),
        ("CallFailed", 2),
    ]
    assert texts(run) == "attempt 1\nattempt 2\n"
    assert [e.seq for e in run.events()] == list(range(1, run._history().last + 1))


@pytest.mark.parametrize("place", ["threads", "asyncio", "processes"])
def test_text_is_in_the_log_while_its_attempt_runs(place: str, tmp_path: Any) -> None:
    """Whoever watches a long call reads along."""
    gate = Gate(tmp_path / "gate")
    act = nbflow.activity(name="act")(talker(gate, place == "asyncio"))

    @nbflow.workflow
    def flow() -> Any:
        return act().result()

    run = flow.on(place).start()
    gate.wait_for(1)
    eventually(lambda: "on the way\n" in run.output("act-1"), "the line is in the log")
    assert not of(run, CallSucceeded)
    gate.open()
    run.result(WAIT)
    assert run.output("act-1") == "on the way\nthere"


def talker(gate: Gate, polite: bool) -> Any:
    """Make an activity that prints a line, waits, and prints the beginning of one."""

    async def politely() -> None:
        print("on the way")
        await gate.enter_async()
        print("there", end="")

    def plainly() -> None:
        print("on the way")
        gate.enter()
        print("there", end="")

    return politely if polite else plainly


def test_a_thousand_lines_are_few_appends() -> None:
    """Text is in no hurry: it is written in batches."""
    store = Watched()
    nbflow.configure(store=store)

    def act() -> None:
        for n in range(1000):
            print(n)

    run = once(act)
    assert texts(run) == "".join(f"{n}\n" for n in range(1000))
    assert len(store.appends) < 30


def test_a_timeout_keeps_what_was_written_until_then(tmp_path: Any) -> None:
    """What is given up has said why it was slow; what it says later is not in the log."""
    gate = Gate(tmp_path / "gate")
    said = threading.Event()

    def act() -> None:
        print("slow because", end="")
        gate.enter()
        print("too late")
        said.set()

    run = once(act, timeout=0.1)
    assert [type(e) for e in run.events()][-3:] == [CallWrote, CallFailed, RunClosed]
    assert texts(run) == "slow because"
    gate.open()
    assert said.wait(WAIT)
    assert texts(run) == "slow because"


def test_a_cancelled_call_keeps_its_words(tmp_path: Any) -> None:
    """As does one that is given up because the run is."""
    gate = Gate(tmp_path / "gate")

    @nbflow.activity
    def act() -> None:
        print("busy")
        gate.enter()

    @nbflow.workflow
    def flow() -> Any:
        return act().result()

    run = flow.start()
    gate.wait_for(1)
    run.cancel()
    run.wait(WAIT)
    gate.open()
    assert run.output("act-1") == "busy\n"


@pytest.mark.parametrize("place", [*PLACES, "processes"])
def test_the_limit_of_an_attempt_is_each_attempts_own(place: str) -> None:
    """Two calls that write too much are both cut, and both say so."""
    nbflow.configure(output_limits=(100, 10_000))

    @nbflow.activity
    def act(n: int) -> None:
        print("x" * n)

    @nbflow.workflow
    def flow() -> Any:
        return [act(99).result(), act(100).result(), act(500).result()]

    run = flow.on(place).start()
    run.result(WAIT)
    rest = "… more than 100 characters: the rest is not kept ({} characters dropped)\n"
    assert run.output("act-1") == "x" * 99 + "\n"
    assert run.output("act-2") == "x" * 100 + "\n" + rest.format(1)
    assert run.output("act-3") == "x" * 100 + "\n" + rest.format(401)


def test_what_comes_while_an_attempt_is_being_settled_is_forgotten() -> None:
    """Nothing is written of an attempt after its end, and nothing is kept for it."""
    scribe, job = Scribe(Rules), make_job(print)
    scribe.write(job, "stdout", "late\n")
    assert list(scribe.due(lambda _: False)) == []
    assert not scribe.open
    scribe.write(job, "stdout", "in time\n")
    assert [event.text for event in scribe.due(lambda _: True)] == ["in time\n"]


@pytest.mark.parametrize("place", [*PLACES, "processes"])
def test_the_limit_of_a_run_is_for_all_its_calls(place: str) -> None:
    """Beyond it nothing is kept, and its last words say how much that was."""
    nbflow.configure(output_limits=(1000, 2500))

    @nbflow.activity
    def act() -> None:
        print("x" * 999)

    @nbflow.workflow
    def flow() -> Any:
        for _ in range(5):
            act().result()

    run = flow.on(place).start()
    run.result(WAIT)
    *kept, last = of(run, CallWrote)
    assert sum(len(e.text) for e in kept) == 2500
    notice = (
        "… more than 2,500 characters in one run: the rest is not kept (2,500 characters dropped)\n"
    )
    assert last.text == notice


# -------------------------------------------------------------------- where it goes


class Real(io.StringIO):
    """A stream with everything that a terminal has."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return 77


@pytest.mark.parametrize(
    ("output", "logged", "printed"),
    [("auto", True, True), ("both", True, True), ("log", True, False), ("stream", False, True)],
)
def test_text_goes_where_it_is_configured_to(
    output: Any, logged: bool, printed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the log, to the stream or to both; by default to both where there is no kernel."""
    real = Real()
    monkeypatch.setattr(sys, "stdout", real)
    nbflow.configure(output=output)

    def act() -> None:
        print("hello")
        sys.stdout.writelines(["a\n", "b\n"])

    run = once(act)
    assert texts(run) == ("hello\na\nb\n" if logged else "")
    assert real.getvalue() == ("hello\na\nb\n" if printed else "")


def test_what_is_configured_counts_at_once(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that are under way obey it, too."""
    real = Real()
    monkeypatch.setattr(sys, "stdout", real)
    gate = Gate(tmp_path / "gate")

    @nbflow.activity
    def act() -> None:
        print("one")
        gate.enter()
        print("two")

    @nbflow.workflow
    def flow() -> Any:
        return act().result()

    run = flow.start()
    gate.wait_for(1)
    nbflow.configure(output="log")
    gate.open()
    run.result(WAIT)
    assert real.getvalue() == "one\n"
    assert texts(run) == "one\ntwo\n"


def test_only_activities_are_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workflow code, and whoever else prints meanwhile, writes as ever, even with `log` alone."""
    real = Real()
    monkeypatch.setattr(sys, "stdout", real)
    nbflow.configure(output="log")

    @nbflow.activity
    def act() -> None:
        print("activity")

    @nbflow.workflow
    def flow() -> Any:
        print("workflow")
        act().result()
        print("again")

    run = flow.start()
    run.result(WAIT)
    print("script")
    assert real.getvalue() == "workflow\nagain\nscript\n"
    assert run.output() == "act-1 | activity\n"


def test_in_front_of_somebody_only_the_main_thread_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell shows what it runs itself (a debugger needs that), not what worker threads say."""
    real = Real()
    monkeypatch.setattr(sys, "stdout", real)
    monkeypatch.setattr("nbflow.running.config._watched", lambda: True)
    assert texts(once(lambda: print("thread"), "threads")) == "thread\n"
    assert texts(once(lambda: print("inline"), "inline")) == "inline\n"
    assert real.getvalue() == "inline\n"


@pytest.mark.case("U37")
def test_a_thread_of_an_activitys_own_prints_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless it is given the activity's context."""
    real = Real()
    monkeypatch.setattr(sys, "stdout", real)

    def act() -> None:
        context = contextvars.copy_context()
        for target in (lambda: print("plain"), lambda: context.run(print, "copied")):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()

    assert texts(once(act)) == "copied\n"
    assert real.getvalue() == "plain\ncopied\n"


def test_redirecting_inside_an_activity_works() -> None:
    """What goes into the activity's own buffer is its own."""

    def act() -> str:
        buffer = io.StringIO()
        with contextlib.redirect_stdout(buffer):
            print("mine")
        print("after")
        return buffer.getvalue()

    run = once(act, "inline")
    assert run.result() == "mine\n"
    assert texts(run) == "after\n"


def test_a_stream_that_is_put_in_place_later_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is wrapped when the next run begins; what it wraps itself is not asked twice."""
    first = Real()
    monkeypatch.setattr(sys, "stdout", first)
    once(lambda: print("one"))

    class Tee(io.StringIO):
        def write(self, text: str) -> int:
            inner.write(text)
            return super().write(text)

    inner, tee = sys.stdout, Tee()
    sys.stdout = tee
    assert sys.stdout is tee
    run = once(lambda: print("two"))
    assert texts(run) == "two\n"
    assert first.getvalue() == "one\ntwo\n"
    assert tee.getvalue() == "two\n"


def stdout() -> Any:
    """Give the stream that there is now."""
    return sys.stdout


def test_the_stream_passes_for_the_one_it_stands_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attributes are read from it and set on it; it is wrapped once."""
    real = Real()
    monkeypatch.setattr(sys, "stdout", real)
    streams.install()
    wrapped = stdout()
    streams.install()
    assert sys.stdout is wrapped
    assert isinstance(stdout(), Real)
    wrapped = stdout()  # mypy would take it for what it passes for
    assert (wrapped.isatty(), wrapped.fileno(), wrapped.encoding) == (True, 77, "utf-8")
    wrapped.parent_header = {"a": 1}
    assert vars(real)["parent_header"] == {"a": 1}
    del wrapped.parent_header
    assert not hasattr(real, "parent_header")
    with pytest.raises(AttributeError, match="no_such"):
        wrapped.no_such  # noqa: B018
    with pytest.raises(TypeError):
        wrapped.write(b"bytes")
    assert repr(wrapped) == repr(real)
    with wrapped as same:
        assert same is wrapped
    assert real.closed


def test_who_puts_another_write_into_the_stream_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """IPython does so during each cell; the new one calls the old one, and goes again."""
    real = Real()
    monkeypatch.setattr(sys, "stdout", real)
    streams.install()
    wrapped, noted = stdout(), []
    original = wrapped.write

    def write(text: str) -> Any:
        noted.append(text)
        return original(text)

    wrapped.write = write
    print("teed", end="")
    wrapped.write = original
    print(" plain", end="")
    wrapped.write = write
    del wrapped.write
    print(" again", end="")
    assert noted == ["teed", ""]
    assert real.getvalue() == "teed plain again"


def test_what_is_no_text_is_refused_by_the_stream_itself() -> None:
    """Inside an activity as outside."""
    run = once(lambda: sys.stdout.write(b"bytes"))  # type: ignore[arg-type]
    assert isinstance(run.exception(), TypeError)


def test_a_stream_that_fails_fails_its_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it would without nbflow; the log has the text all the same."""
    closed = Real()
    monkeypatch.setattr(sys, "stdout", closed)
    streams.install()
    closed.close()
    run = once(lambda: print("to nowhere"))
    assert isinstance(run.exception(), ValueError)
    assert texts(run) == "to nowhere"


def test_writing_from_within_a_write_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a stream that prints, nor an object that prints when it goes, wherever it does."""

    class Chatty(Real):
        def write(self, text: str) -> int:
            if text.strip() and not text.startswith("about"):
                print(f"about {text}", file=sys.stdout)
            return super().write(text)

    monkeypatch.setattr(sys, "stdout", Chatty())

    class Gone:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            print("gone")

    def act() -> None:
        before = gc.get_threshold()
        gc.set_threshold(1, 1, 1)
        try:
            for n in range(50):
                Gone()
                print([n])
        finally:
            gc.set_threshold(*before)
        gc.collect()

    lines = texts(once(act)).splitlines()
    assert [line for line in lines if line.startswith("[")] == [f"[{n}]" for n in range(50)]
    assert lines.count("gone") <= 50
    assert not [line for line in lines if line.startswith("about")]


# -------------------------------------------------------------------- logging


def bare_logging(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have logging as in a fresh process: pytest adds handlers of its own to each test."""
    monkeypatch.setattr(logging.root, "handlers", [])


def test_records_are_taken_while_a_run_is_under_way_and_not_after(tmp_path: Any) -> None:
    """Levels and handlers stay as they are, also while it runs."""
    before = (logging.root.level, list(logging.root.handlers))
    gate = Gate(tmp_path / "gate")

    @nbflow.activity
    def act() -> None:
        logging.getLogger("some.where").error("no %s", "way")
        logging.getLogger("some.where").debug("not this")
        logging.getLogger("nbflow.engine").error("our own")
        gate.enter()

    @nbflow.workflow
    def flow() -> Any:
        return act().result()

    run = flow.start()
    gate.wait_for(1)
    assert isinstance(vars(logging.root)["parent"], logging.Logger)
    assert (logging.root.level, logging.root.handlers) == before
    gate.open()
    run.result(WAIT)
    assert vars(logging.root)["parent"] is None
    assert [(e.channel, e.text) for e in of(run, CallWrote)] == [("log:ERROR", "no way\n")]
    assert run.output("act-1") == "ERROR: no way\n"


def test_without_handlers_warnings_go_to_stderr_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of activities, and of everybody else while a run is under way; and once each."""
    bare_logging(monkeypatch)
    real = Real()
    monkeypatch.setattr(sys, "stderr", real)

    def act() -> None:
        logging.getLogger("x").warning("careful")
        logging.getLogger("x").info("not this")

    @nbflow.workflow
    def flow() -> Any:
        logging.getLogger("y").warning("workflow")
        return nbflow.activity(act)().result()

    run = flow.start()
    run.result(WAIT)
    assert real.getvalue() == "workflow\ncareful\n"
    assert [(e.channel, e.text) for e in of(run, CallWrote)] == [("log:WARNING", "careful\n")]


@pytest.mark.case("U43")
def test_a_record_that_is_printed_as_well_is_in_the_log_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The handler's text goes to the stream; the log has the record."""
    bare_logging(monkeypatch)
    real = Real()
    monkeypatch.setattr(sys, "stderr", real)

    def act() -> None:
        logging.basicConfig(format="%(name)s says %(message)s")  # works though a run is under way
        logging.getLogger("x").warning("careful")
        logging.getLogger("x").error("%d", "no number")
        print("done", file=sys.stderr)

    monkeypatch.setattr(logging, "raiseExceptions", False)
    run = once(act)
    assert real.getvalue() == "x says careful\ndone\n"
    assert [(e.channel, e.text) for e in of(run, CallWrote)] == [
        ("log:WARNING", "careful\n"),
        ("log:ERROR", "%d\n"),
        ("stderr", "done\n"),
    ]


def test_a_logger_that_keeps_its_records_to_itself_is_heard_where_it_prints(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its records do not reach the root, so its handler's text is taken."""
    bare_logging(monkeypatch)
    real = Real()
    monkeypatch.setattr(sys, "stderr", real)
    logger = logging.getLogger("keeps.to.itself")
    monkeypatch.setattr(logger, "propagate", False)

    def act() -> None:
        handler = logging.StreamHandler(sys.stderr)
        log = logging.getLogger("keeps.to.itself")
        log.addHandler(handler)
        log.warning("careful")
        log.removeHandler(handler)

    run = once(act)
    assert real.getvalue() == "careful\n"
    assert [(e.channel, e.text) for e in of(run, CallWrote)] == [("stderr", "careful\n")]


# -------------------------------------------------------------------- folds, resumes


def test_folds_pass_over_text() -> None:
    """A log with text says the same of a run as the log without it."""

    @nbflow.activity(retry=nbflow.Retry(attempts=2, wait=0))
    def act(n: int) -> int:
        print("x", n)
        if nbflow.context().attempt == 1:
            raise OSError
        return n

    @nbflow.workflow
    def flow() -> Any:
        first = act(1)
        return act(first).result() + act(2).result()

    run = flow.start()
    run.result(WAIT)
    events = list(run.events())
    bare = [e for e in events if not isinstance(e, CallWrote)]
    assert len(events) == len(bare) + 6
    assert list(Graph.of(events)) == list(Graph.of(bare))
    assert Graph.of(events).edges == Graph.of(bare).edges
    assert Profile.of(events).bars == Profile.of(bare).bars
    with_text, without = History.of(events), History.of(bare)
    assert list(with_text.calls) == list(without.calls)
    assert [s.outcome for s in with_text.settled] == [s.outcome for s in without.settled]
    assert with_text.last == without.last


def test_a_resume_keeps_what_was_written_before() -> None:
    """The code runs again from the log; what was printed is not printed anew."""

    @nbflow.activity
    def act(n: int) -> int:
        print("act", n)
        return n

    @nbflow.activity
    def shaky() -> None:
        print("shaky")
        raise OSError

    @nbflow.workflow
    def flow() -> Any:
        act(1).result()
        shaky().result()

    run = flow.on("inline").start()
    assert isinstance(run.exception(), OSError)

    @nbflow.activity(name="shaky")
    def mended() -> None:
        print("mended")

    @nbflow.workflow(name="flow")
    def better() -> Any:
        act(1).result()
        mended().result()

    run.resume(better).result(WAIT)
    assert run.output() == "act-1 | act 1\nshaky-1 | shaky\nshaky-1 | mended\n"


# -------------------------------------------------------------------- asking for it


def test_output_is_to_be_had_by_run_and_by_call() -> None:
    """Of a call as it was written, of a run with the calls' ids; a wrong id is told."""

    @nbflow.activity(retry=nbflow.Retry(attempts=2, wait=0))
    def act() -> None:
        print("a\n\nb", end="")
        if nbflow.context().attempt == 1:
            raise OSError

    @nbflow.workflow
    def flow() -> Any:
        return act().result()

    run = flow.start()
    run.result(WAIT)
    assert run.output("act-1") == run.calls["act-1"].output == "a\n\nb\na\n\nb"
    marks = ["act-1 | a", "act-1 | ", "act-1 | b", *[f"act-1 #2 | {t}" for t in ("a", "", "b")]]
    assert run.output().splitlines() == marks
    with pytest.raises(RunError, match=r"no call 'act-2'.*Did you mean act-1"):
        run.output("act-2")


@pytest.mark.parametrize(
    "options",
    [
        {"output": "nowhere"},
        {"output_limits": 5},
        {"output_limits": (1, -1)},
        {"output_limits": (1, 2.5)},
        {"output_limits": (1, 2, 3)},
    ],
    ids=str,
)
def test_a_setting_that_makes_no_sense_is_refused(options: Any) -> None:
    """In one message, and nothing is changed."""
    before = streams.rules()
    with pytest.raises(DefinitionError, match="output"):
        nbflow.configure(on="inline", **options)
    assert streams.rules() == before
    assert nbflow.running.config.settings.on == "threads"


# -------------------------------------------------------------------- ends

SCRIPT = """
import atexit, nbflow, os, sys, json
nbflow.configure(output="log")
@nbflow.activity
def act():
    print("said")
    if hasattr(os, "fork"):
        pid = os.fork()
        if not pid:
            print("forked", flush=True)
            os._exit(0)
        os.waitpid(pid, 0)
    atexit.register(print, "at exit")
@nbflow.workflow
def flow():
    return act().result()
run = flow.on(sys.argv[1]).start()
run.result()
print(json.dumps(run.output("act-1")), flush=True)
"""


@pytest.mark.parametrize("place", PLACES)
def test_printing_at_the_end_of_the_process_does_no_harm(place: str) -> None:
    """Nor does a fork of an activity's: it has no run to tell, and prints as ever."""
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, place]
    done = subprocess.run(
        command, capture_output=True, text=True, env={"NBFLOW_STORE": ":memory:"}, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert json.loads(next(line for line in lines if line.startswith('"'))) == "said\n"
    assert {"forked", "at exit"} <= set(lines)
    assert "said" not in lines
