"""Killed at random times, up to six times a run."""

from __future__ import annotations

import random
import time
from pathlib import Path
from statistics import median

import pytest

from tests.crash.nursery import Nurseries
from tests.crash.test_points import side_by_side, trial
from tests.crash.trial import Kill, Trial, new_seed

pytestmark = pytest.mark.timeout(1200)
MOST = 6
"""Kills of one trial."""


def duration(one: Trial) -> float:
    """Give the seconds that a run takes which nobody kills."""
    start = time.perf_counter()
    one.nursery.run(one.spec)
    return time.perf_counter() - start


def torment(nursery: Nurseries, home: Path, trials: int, seed: int) -> int:
    """Do that many trials; give how many processes were killed in all."""
    longest = median(duration(trial(nursery, home, f"whole-{n}")) for n in range(5))
    print(f"a run that nobody kills takes {longest * 1000:.0f} ms")

    def one(number: int) -> int:
        chance = random.Random(seed + number)
        planned = [Kill(after=chance.uniform(0, longest)) for _ in range(chance.randint(1, MOST))]
        made = trial(nursery, home, number)
        try:
            made.drive(planned)
        except BaseException as error:
            error.add_note(f"trial {number} of seed {seed}, kills {planned}")
            raise
        return made.kills

    kills = sum(side_by_side(nursery, one, range(trials)))
    print(f"{trials} trials, {kills} kills")
    return kills


def test_whenever_it_dies_the_run_comes_to_its_end(nursery: Nurseries, tmp_path: Path) -> None:
    """All promises hold, for kills between any two instructions."""
    assert torment(nursery, tmp_path, 200, new_seed()) > 100


@pytest.mark.torture
def test_two_thousand_times(nursery: Nurseries, tmp_path: Path) -> None:
    """The same, ten times as often."""
    assert torment(nursery, tmp_path, 2000, new_seed()) > 1000
