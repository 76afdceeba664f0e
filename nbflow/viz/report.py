"""One page that tells all of a run and needs nothing else: no kernel, no network, no folder.

The page has the panel's own code, and the data that a kernel would send. Nothing may be loaded
or run in it but that one script, which its policy names by digest; data is JSON in an element of
its own. Where no script runs, and on paper, there is a picture and text.
"""

from __future__ import annotations

import base64
import hashlib
import json
import platform
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, Final

from nbflow.__about__ import __version__
from nbflow.core.events import Event
from nbflow.viz.board import Board
from nbflow.viz.details import AboutCall, nothing
from nbflow.viz.palette import LOOK
from nbflow.viz.svg import run_svg
from nbflow.viz.text import graph_text, profile_text
from nbflow.viz.wording import clean, duration, many, markup

ALL: Final = 2_000
"""Up to so many calls all have their details in the page..."""
SOME: Final = 1_000
"""...of more only so many: those that failed, then the longest."""
DRAWN: Final = 3_000
"""A graph of more calls is in the page by activity only."""

_STATIC: Final = Path(__file__).parent / "static"
_DETAILS: Final = 4_000_000
_VIEWS: Final = 1_500_000
"""Letters of JSON that details, and views of the graph, may take."""
_MOST_VIEWS: Final = 40
_MOST_FOLDED: Final = 10
_LOG: Final = 10**9
_FAILED: Final = ("failed", "cancelled", "skipped")

_PAGE: Final = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="nbflow {version}">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{heading}</h1>
<dl class="page-facts">{facts}</dl>
</header>
<noscript>
<p class="page-note">Scripts are off: this is a picture of the run, and its text.</p>
</noscript>
<main>
<div id="nbflow-run"></div>
<div class="page-still">
{picture}
<details open><summary>The run as text</summary><pre>{text}</pre></details>
</div>
</main>
<footer>
Written {written} by nbflow {version} on Python {python}. This file needs no network.
</footer>
<script type="application/json" id="nbflow-data">{data}</script>
<script type="module">{script}</script>
</body>
</html>
"""


def report_html(run: str, events: Iterable[Event], about: AboutCall = nothing) -> str:
    """Write a run as one page.

    Args:
        run: Its id.
        events: Its log.
        about: Tells what is known here of a call's code.
    """
    board = Board(run, about)
    for event in events:
        board.apply(event)
    graph, profile = board.graph, board.profile
    data = _data(board)
    script = _script()
    name = clean(graph.name, 120) or "workflow"
    text = graph_text(graph, lines=200, profile=profile) + "\n\n" + profile_text(profile, lines=120)
    return _PAGE.format(
        policy=_policy(script),
        version=markup(__version__),
        title=markup(f"{name} · {clean(run, 120)}"),
        style=_style(),
        heading=markup(name),
        facts="".join(_facts(board)),
        picture=run_svg(graph, profile),
        text=markup(text),
        written=_moment(time.time()),
        python=platform.python_version(),
        data=embedded(data),
        script=script,
    )


def embedded(data: object) -> str:
    r"""Write data as JSON that can stand in a script element of any page.

    Example:
        >>> print(embedded({"a": "</script>"}))
        {"a":"\u003c/script\u003e"}
    """
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)  # all of it ASCII
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


# ---------------------------------------------------------------------- the page


def _script() -> str:
    """Give the panel's code, which stands in the page as it is."""
    code = (_STATIC / "report.js").read_text(encoding="utf-8").strip()
    return code.replace("</script", "<\\/script").replace("<!--", "\\x3c!--")


def _style() -> str:
    return (_STATIC / "report.css").read_text(encoding="utf-8").strip().replace("</", "<\\/")


def _policy(script: str) -> str:
    """Allow this one script, styles within the page, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'"
    )


def _facts(board: Board) -> Iterator[str]:
    profile, history = board.profile, board.graph.history
    started, over = history.started, profile.ended is not None
    status = board.status if over else f"{board.status}, when this was written"
    facts = {
        "run": board.run,
        "status": status,
        "began": _moment(profile.begun) if started else "",
        "ended": _moment(profile.ended) if profile.ended is not None else "",
        "took": duration(profile.wall()),
        "on": started.on if started else "",
        "resumed": many(history.resumed, "time") if history.resumed else "",
    }
    for name, words in facts.items():
        if words:
            yield f"<div><dt>{name}</dt><dd>{markup(clean(words))}</dd></div>"


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(at))


# ---------------------------------------------------------------------- its data


def _data(board: Board) -> dict[str, Any]:
    """Give what the page's script reads: the messages of docs/panel.md, all at once."""
    now = board.profile.latest
    board.advance(now, settle=True)
    state = board.whole(now)
    state["rows"] = [
        b.inline() for table in (board.rows.calls, board.rows.bars) for b in table.blocks(0)
    ]
    if not board.closed:  # the page knows of no more: its clock must not go on
        state["head"] = {**state["head"], "status": "stopped", "ended": state["now"]}
    views = _views(board)
    modes = list(dict.fromkeys(view["mode"] for view in views))
    for view in views:
        view["view"] = {**view["view"], "modes": modes}
    state["view"] = views[0]["view"]
    details, sources = _details(board)
    return {
        "look": LOOK,
        "state": {"seq": 0, **state},
        "views": views,
        "details": details,
        "sources": sources,
        "log": board.lines.since(0, _LOG),
    }


def _views(board: Board) -> list[dict[str, Any]]:
    """Give the graph as it is shown first, and in as many other ways as there is room for."""
    found = {_view_key(board): _view(board)}
    room = _VIEWS - _letters(found)
    for mode, open_ in _wanted(board):
        if len(found) >= _MOST_VIEWS:
            break
        board.stage.choose(mode, open_)
        board.advance(board.profile.latest, settle=True)
        key, view = _view_key(board), _view(board)
        if key in found or key != (mode, open_):
            continue
        room -= _letters(view)
        if room < 0:
            break
        found[key] = view
    return list(found.values())


def _wanted(board: Board) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Give the ways to show a graph, the likelier first."""
    modes = board.stage.view["modes"]
    small = len(board.rows.calls) <= DRAWN
    for mode in modes:
        if mode == "nested" and small:
            yield from _folded(board.stage.view["open"] if board.stage.view["mode"] == mode else [])
        elif mode == "groups" or small:
            yield mode, ()
    if not small:
        return
    activities = range(len(board.rows.activities.shown))
    for count in range(1, min(4, len(activities)) + 1):
        for open_ in combinations(activities, count):
            yield "groups", open_


def _folded(open_: Sequence[int]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Give the compositions as they are, all closed, and each of them closed or open alone."""
    yield "nested", tuple(open_)
    yield "nested", ()
    for one in open_[:_MOST_FOLDED]:
        yield "nested", tuple(other for other in open_ if other != one)
        yield "nested", (one,)


def _view_key(board: Board) -> tuple[str, tuple[int, ...]]:
    return board.stage.view["mode"], tuple(board.stage.view["open"])


def _view(board: Board) -> dict[str, Any]:
    stage = board.stage
    found: dict[str, Any] = {
        "mode": stage.view["mode"],
        "open": list(stage.view["open"]),
        "view": stage.view,
        "graph": stage.size,
        "nodes": dict(stage.nodes.rows),
        "edges": dict(stage.edges.rows),
    }
    if stage.columns is not None:
        columns = [base64.b64encode(data).decode() for data in stage.columns.buffers]
        found["scene"] = {"head": stage.columns.head, "columns": columns}
    return found


def _letters(data: Any) -> int:
    return len(json.dumps(list(data.values()) if isinstance(data, dict) else data))


def _details(board: Board) -> tuple[dict[str, Any], list[str]]:
    """Give the details of as many calls as there is room for, and each source text once."""
    sources: dict[str, int] = {}
    found: dict[str, Any] = {}
    room = _DETAILS
    for row in _told(board):
        detail = board.details.of(row)
        if detail is None:
            continue
        source = detail["source"]
        detail["source"] = sources.setdefault(source, len(sources)) if source else -1
        room -= len(json.dumps(detail))
        if room < 0:
            break
        found[str(row)] = detail
    return found, list(sources)


def _told(board: Board) -> list[int]:
    """Choose the calls whose details are in the page: if not all, what failed, then the longest."""
    calls, bars = board.rows.calls, board.rows.bars
    if len(calls) <= ALL:
        return list(range(len(calls)))
    seconds = [0.0] * len(calls)
    now = board.since(board.profile.latest)
    times = zip(bars.column("call"), bars.column("started"), bars.column("ended"), strict=True)
    for row, started, ended in times:
        seconds[row] += (ended if ended == ended else now) - started  # noqa: PLR0124 - not a NaN
    statuses = LOOK["statuses"]
    rank = [
        _FAILED.index(name) if (name := statuses[status]) in _FAILED else len(_FAILED)
        for status in calls.column("status")
    ]
    return sorted(range(len(calls)), key=lambda row: (rank[row], -seconds[row]))[:SOME]
