"""What a person does with nbflow on the first day, cell by cell, in a kernel of their own."""

from __future__ import annotations

import pytest

from nbflow.viz.wording import TIMES

pytestmark = [
    pytest.mark.timeout(120),
    # nbclient leaves the loop that it has made for itself open
    pytest.mark.filterwarnings("ignore:unclosed event loop:ResourceWarning"),
]

CELLS = {
    "load": "%load_ext nbflow",
    "python": "import nbflow\nRATE = 1.08\nregions = ['eu', 'us', 'ap']",
    "activity": (
        "%%activity fetch(region: str, rows: int = 5) -> list --timeout 60\n"
        '"""Orders of one region."""\n'
        'if region not in {"eu", "us", "ap"}: raise ValueError(f"unknown region {region!r}")\n'
        "[[region, n] for n in range(rows)]"
    ),
    "decorator": (
        "@nbflow.activity(executor='processes')\n"
        "def convert(rows: list, rate: float) -> float:\n"
        "    return sum(n for _, n in rows) * rate"
    ),
    "function": "fetch('eu')[:2]",
    "workflow": (
        "%%workflow revenue(regions: list[str], rate: float = RATE) -> dict\n"
        "totals = {r: convert(fetch(r), rate) for r in regions}\n"
        "totals"
    ),
    "plan": "%nbflow plan revenue(regions)",
    "run": "run = revenue(regions)\nrun",
    "edit": "RATE = 1.10",
    "result": "run.result()",
    "await": "await run",
    "wait": "%nbflow wait run --timeout 30",
    "profile": "%nbflow profile run",
    "table": "[bar.call for bar in run.profile.bars]",
    "again": "run2 = revenue(regions, rate=RATE)\nrun2.result()",
    "failure": (
        "try:\n    run3 = revenue(['eu', 'mars']); run3.result()\n"
        "except ValueError:\n    get_ipython().showtraceback()"
    ),
    "elsewhere": "%nbflow executor processes --max-workers 1",
    "run4": "%nbflow run revenue(['eu']) -o run4",
    "runs": "%nbflow runs --last 5",
    "attach": "nbflow.attach(run.id).result() == run.result()",
    "mended": (
        "%%activity fetch(region: str, rows: int = 5) -> list\n[[region, n] for n in range(rows)]"
    ),
    "resume": "run3.resume().result()",
}


def test_the_journey(headless):
    """Every cell does what it says, in the order in which people come to it."""
    done = headless(*CELLS.values())
    assert done.error is None, done.error
    text = dict(zip(CELLS, map(done.text, range(len(CELLS))), strict=True))
    kinds = dict(zip(CELLS, map(done.kinds, range(len(CELLS))), strict=True))
    assert text["load"].endswith("%nbflow? for help\n")
    assert text["activity"] == "fetch(region: str, rows: int = 5) -> list\n"
    assert text["function"] == "[['eu', 0], ['eu', 1]]"
    assert text["workflow"] == (
        "revenue(regions: list[str], rate: float = 1.08) -> dict · uses convert, fetch\n"
    )
    assert text["plan"].startswith(f"plan of revenue: 6 calls (fetch {TIMES}3, convert {TIMES}3)\n")
    assert [k for k in kinds["run"] if "image/png" in k]
    assert "revenue  ✓ completed  ✓ 6 done" in text["run"]
    for way in ("result", "await", "wait"):
        assert text[way] == "{'eu': 10.8, 'us': 10.8, 'ap': 10.8}"
    assert "image/png" in kinds["profile"][0]
    assert text["table"].count("fetch-") == 3
    assert text["again"].startswith("{'eu': 11.0")
    number = list(CELLS).index("activity") + 1
    assert f"Cell In[{number}], line 3, in fetch(region='mars', rows=5)" in text["failure"]
    assert "run3.failed[0].reproduce()  ·  fix the cell, then run3.resume()" in text["failure"]
    assert "runs go to processes(max_workers=1)" in text["elsewhere"]
    assert "revenue  ✓ completed" in text["run4"]
    assert text["runs"].count("revenue-") >= 4
    assert text["attach"] == "True"
    assert "version 2: new runs use it" in text["mended"]
    assert text["resume"].startswith("{'eu': 10.8, 'mars': 10.8}")
