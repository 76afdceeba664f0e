"""Calls that are the cause themselves, and failures that the code has dealt with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash import mishaps
from tests.crash.engine import DONE, TOLD
from tests.crash.nursery import Nurseries
from tests.crash.test_points import trial
from tests.crash.trial import KILLED, Kill, Trial


def until_told(one: Trial, most: int) -> list[int]:
    """Have processes resume a run one after another until one is not killed."""
    found: list[int] = []
    while len(found) < most and found[-1:] in ([], [KILLED]):
        found += one.together(one.spec)
    return found


@pytest.mark.case("U9")
def test_a_call_that_kills_its_process_is_run_three_times(
    nursery: Nurseries, tmp_path: Path
) -> None:
    """Then the run fails with `PoisonActivity`, and no process dies of it any more."""
    one = trial(nursery, tmp_path, "mine", flow="mine")
    assert until_told(one, 6) == [KILLED] * 3 + [TOLD]
    assert [line.what[0] for line in one.ledger if line.kind == "told"] == ["PoisonActivity"]
    assert sum(line.kind == "effect" for line in one.ledger) == 3


def test_a_call_that_kills_its_process_at_once_is_run_once_more(
    nursery: Nurseries, tmp_path: Path
) -> None:
    """The first time nobody had written yet that it runs; from then on that is written first."""
    one = trial(nursery, tmp_path, "trap", flow="trap")
    assert until_told(one, 6) == [KILLED] * 4 + [TOLD]


def test_a_failure_that_the_code_has_dealt_with_is_kept(nursery: Nurseries, tmp_path: Path) -> None:
    """What the code has built upon is there after a crash, be it a value or an error."""
    one = trial(nursery, tmp_path, "careful", flow="careful")
    assert one.incarnate(Kill(at=1, near="CallSucceeded:after")) == KILLED
    assert one.together(one.spec) == [DONE]


def test_a_rerun_does_not_begin_a_call_of_once_again_unless_it_is_named() -> None:
    """It is begun at most once; somebody who names it says that it may be begun again."""
    run = mishaps.bill.start()
    run.result(30)
    assert mishaps.bills == 1
    run.rerun("amount-1", workflow=mishaps.bill).wait(30)
    assert mishaps.bills == 1
