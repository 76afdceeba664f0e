"""Messages that say what to write in Python say in a shell what to type there."""

from __future__ import annotations

import pytest

from nbflow.cli.spoken import spoken, spoken_of_swf
from nbflow.core.history import History
from nbflow.engine.attempts import verdict

COMPLETED = "run sums-1f0c has completed: start a new run, or have calls of it run again with {}"
SETTLED = "add-1 of run sums-1f0c has a result already: {} drops it"
ONCE = (
    "send-1 is once=True and had begun before, so it is not run again by itself. If it did its "
    "work, give its result: run.settle('send-1', value). If it may run again: {}"
)


@pytest.mark.parametrize(
    ("text", "python", "command"),
    [
        (COMPLETED, "run.rerun(call)", "nbflow rerun sums-1f0c CALL"),
        (SETTLED, "run.rerun('add-1')", "nbflow rerun sums-1f0c add-1"),
        ("run sums-1f0c is stopped; {} goes on", "run.resume()", "nbflow resume sums-1f0c"),
        ("run a-b-77 is driven: {}", "run.resume(force=True)", "nbflow resume a-b-77 --force"),
        ("run x.y-1: {}", "run.resume(code='recorded')", "nbflow resume x.y-1 --code recorded"),
        ("pass it, as in {}", "run.resume(workflow=flow)", "nbflow resume RUN --target FILE:flow"),
        ("{} cancels the run", "run.cancel()", "nbflow cancel RUN"),
        ("by {}", "nbflow.attach('a-1').rerun('b-2')", "nbflow rerun a-1 b-2"),
        ("by {}, or", "nbflow.attach('a-1').rerun(...)", "nbflow rerun a-1 CALL"),
        (
            "{}, where it is a notebook's",
            "nbflow.attach('a-1').resume(code='recorded')",
            "nbflow resume a-1 --code recorded",
        ),
        ("see {}", "%nbflow store check", "nbflow store check"),
    ],
)
def test_what_a_message_says_to_write_is_said_as_it_is_typed(
    text: str, python: str, command: str
) -> None:
    """The command names the run that the message is about, where it names one."""
    assert spoken(text.format(python)) == text.format(command)


def test_a_run_that_is_known_is_named_though_the_message_does_not() -> None:
    """What an activity failed with is of no run, and "run again" names none."""
    told = spoken(ONCE.format("run.rerun('send-1')"), "mails-07")
    assert "nbflow.attach('mails-07').settle('send-1', value) in Python" in told
    assert told.endswith("nbflow rerun mails-07 send-1")
    assert spoken(ONCE.format("run.rerun('send-1')")).endswith("nbflow rerun RUN send-1")


def test_executions_on_swf_have_verbs_of_their_own() -> None:
    """They are named by domain, workflow id and run id, and a call by an expression of its id."""
    run = "Prod/nightly/22x="
    told = spoken_of_swf(f"run {run} has completed: again with run.rerun(call)", run)
    assert told.endswith(f"again with nbflow swf repair {run} --force-activities REGEX")
    told = spoken_of_swf("there is a result: run.rerun('get.all-1') drops it", run)
    assert f"nbflow swf repair {run} --force-activities 'get\\.all-1$' drops it" in told
    told = spoken_of_swf(ONCE.format("run.rerun('send-1')"), run)
    assert f"nbflow swf settle {run} send-1 VALUE" in told


def test_what_speaks_of_no_verb_is_left_as_it_is() -> None:
    """Words of a user's own error are nobody's to change."""
    for text in ("run.py: no such file", "ValueError: 'run' {x} {0}", "a run of sums-1f0c failed"):
        assert spoken(text) == spoken_of_swf(text, "a/b/c") == text
        assert spoken(text, "sums-1") == text


def test_the_words_of_the_engine_are_those_that_are_known_here() -> None:
    """Both ways on from a call that may have done its work are said as they are typed."""
    history = History()
    history.cut_off["send-1"] = 1
    told = spoken(str(verdict("send-1", history, once=True)), "mails-07")
    assert "nbflow rerun mails-07 send-1" in told
    assert "run.rerun" not in told
    assert "run.settle" not in told
