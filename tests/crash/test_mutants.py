"""nbflow with a promise broken: the mode that is there for it has to find out."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.nursery import Nurseries
from tests.crash.test_dual import contend
from tests.crash.test_points import trial
from tests.crash.trial import Kill

pytestmark = pytest.mark.timeout(120)
TRIALS = 80


def caught(attempt: Callable[[int], object], rule: str) -> int:
    """Repeat trials until one is judged to break the rule; give how many that took."""
    others = set()
    for number in range(TRIALS):
        try:
            attempt(number)
        except AssertionError as error:
            if re.match(rule, str(error)):
                print(f"\ncaught by trial {number + 1}: {str(error).splitlines()[0]}")
                return number + 1
            others.add(str(error)[-300:])
    raise AssertionError(f"nobody found out in {TRIALS} trials; but found: {others}")


BROKEN_ORDER = pytest.mark.parametrize(
    ("mutant", "rule"),
    [
        ("seen-first", "I2: |I5: "),
        ("started-late", "I2: |I7: "),
        ("rerun-settled", "I3: |I4: "),
    ],
    ids=["seen-first", "started-late", "rerun-settled"],
)


@BROKEN_ORDER
def test_a_broken_order_is_caught_at_the_points(
    nursery: Nurseries, tmp_path: Path, mutant: str, rule: str
) -> None:
    """By the rule that it breaks."""
    places = [Kill(at=k) for k in random.Random(3).sample(range(1, 150), TRIALS)]
    if mutant == "started-late":
        places = [Kill(at=1 + k % 4, near="CallStarted:before") for k in range(TRIALS)]

    def attempt(number: int) -> None:
        trial(nursery, tmp_path, number, mutant=mutant).drive([places[number]])

    caught(attempt, rule)


def test_a_blob_that_is_not_there_yet_is_caught_at_the_points(
    nursery: Nurseries, tmp_path: Path
) -> None:
    """The log would name what there is not."""

    def attempt(number: int) -> None:
        kill = Kill(at=2 + number % 16, near="CallSucceeded:after")
        trial(nursery, tmp_path, number, mutant="blob-late").drive([kill])

    caught(attempt, "I6: ")


@BROKEN_ORDER
def test_a_broken_order_is_caught_at_random_times(
    nursery: Nurseries, tmp_path: Path, mutant: str, rule: str
) -> None:
    """By the rule that it breaks."""
    chance = random.Random(3)

    def attempt(number: int) -> None:
        kills = [Kill(after=chance.uniform(0, 0.06)) for _ in range(3)]
        trial(nursery, tmp_path, number, mutant=mutant).drive(kills)

    caught(attempt, rule)


@pytest.mark.parametrize(
    ("mutant", "rule", "forces"),
    [
        ("unfenced", r"I\d: |the log was changed", (True, True)),
        ("unheld", "nobody was told", (False, False)),
    ],
    ids=["unfenced", "unheld"],
)
def test_a_run_with_two_drivers_is_caught_when_two_resume_it(
    nursery: Nurseries, tmp_path: Path, mutant: str, rule: str, forces: tuple[bool, bool]
) -> None:
    """By two results of a call, or since nobody was told."""

    def attempt(number: int) -> None:
        home = tmp_path / f"pair-{number}"
        home.mkdir()
        told = contend(nursery, home, 1, forces, mutant=mutant)
        if mutant == "unheld":
            assert any("is driven by process" in text for text in told), "nobody was told who"

    caught(attempt, rule)
