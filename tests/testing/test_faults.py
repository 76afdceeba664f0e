"""Activities that hang, are silent, or lose their process, as a table says."""

from __future__ import annotations

import signal

import pytest

import nbflow
from nbflow.testing import Die, FakeClock, FaultTable, Hang
from nbflow.testing.checks import eventually


def flow_of(faults, **options):
    """Make a workflow of one activity that does as the table says."""

    @nbflow.activity(**options)
    def fetch(region):
        return region, faults.act(region)

    @nbflow.workflow
    def flow(region):
        return fetch(region).result()

    return flow


def test_one_that_hangs_passes_its_time_limit_and_is_tried_again(tmp_path):
    """The first attempt is given up by its limit, the second succeeds."""
    faults = FaultTable(tmp_path, {"eu": [Hang()]})
    flow = flow_of(faults, timeout=3600, retry=1)
    with FakeClock(patience=0.1) as clock:
        run = flow.start("eu")
        eventually(lambda: faults.count("eu") == 1, "the first attempt begins")
        clock.advance(hours=2)
        assert run.result() == ("eu", 2)
    assert [b.status for b in run.profile.bars] == ["failed", "done"]


def test_one_that_is_silent_loses_its_heartbeat_limit_and_one_that_is_not_keeps_it(tmp_path):
    """Signs of life hold the limit off for as long as they come, in real time."""
    faults = FaultTable(tmp_path, {"silent": [Hang()], "lively": [Hang(beats=True, seconds=0.3)]})
    flow = flow_of(faults, heartbeat_timeout=0.15)
    with pytest.raises(nbflow.ActivityTimeout):
        flow.start("silent").result()
    assert flow.start("lively").result() == ("lively", 1)


def test_one_that_is_late_gives_its_result_all_the_same(tmp_path):
    """With ``seconds`` it goes on after that time."""
    faults = FaultTable(tmp_path, {"eu": [Hang(seconds=0.01)]})
    assert flow_of(faults).start("eu").result() == ("eu", 1)


@pytest.mark.parametrize("beats", [True, False])
def test_one_that_hangs_ends_when_its_run_is_cancelled(tmp_path, beats):
    """No thread of a test stays behind."""
    faults = FaultTable(tmp_path, {"eu": [Hang(beats=beats)]})
    ended = []

    @nbflow.activity
    def fetch():
        try:
            faults.act("eu")
        except nbflow.ActivityCancelled:
            ended.append("cancelled")
            raise

    @nbflow.workflow
    def flow():
        return fetch().result()

    run = flow.start()
    eventually(lambda: faults.count("eu"), "the activity begins")
    run.cancel()
    eventually(lambda: ended == ["cancelled"], "the activity ends")


@pytest.mark.parametrize("how", [Die(5), Die(signal=signal.SIGKILL)])
def test_a_worker_that_dies_fails_its_attempt(tmp_path, how):
    """By an exit or a signal; the next attempt has another worker."""
    faults = FaultTable(tmp_path, {"eu": [how]})
    run = flow_of(faults, retry=1).on("processes", max_workers=1).start("eu")
    assert run.result() == ("eu", 2)
    assert [b.status for b in run.profile.bars] == ["failed", "done"]


def test_hanging_is_for_activities(tmp_path):
    """Elsewhere nobody could give it up."""
    with pytest.raises(RuntimeError, match="activity"):
        FaultTable(tmp_path, {"x": [Hang()]}).act("x")
