"""A graph and a profile as text: for terminals, logs and front ends without pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from nbflow.core.graph import Graph, Node
from nbflow.core.profile import Bar, Profile, Step
from nbflow.viz.critical import steps_of, words_of
from nbflow.viz.groups import Group, grouped
from nbflow.viz.lanes import Lane, figures, lanes, span, ticks, totals
from nbflow.viz.measures import measures_table
from nbflow.viz.palette import ANSI, MARKS
from nbflow.viz.standing import counts_of, heading, nodes_of, unrun
from nbflow.viz.wording import TIMES, clean, columns, cut, cut_start, duration, fill, many, no_bars

_INDENTS = 8
_LABEL = 16
_LEAST = 64
"""Fewer columns are not believed: the table of activities takes as many."""


def graph_text(
    graph: Graph,
    *,
    width: int = 100,
    lines: int = 60,
    color: bool = False,
    profile: Profile | None = None,
    critical: bool = True,
) -> str:
    """Write a graph: a line a call with what it needs, or a line an activity where it is big.

    Args:
        graph: The graph.
        width: How many columns there are.
        lines: How many lines there may be.
        color: Whether to write ANSI colours.
        profile: The same run's profile, if it is at hand: it knows the critical path best.
        critical: Whether calls on the critical path have a star.

    Example:
        >>> print(graph_text(run.graph))
        revenue  ✓ completed  ✓ 2 done  * critical path 1.31 s
          ✓ fetch-1('eu')           1.02 s *
            ✓ convert-1(fetch-1)    290 ms *
    """
    width, lines = max(_LEAST, width), max(8, lines)
    paint = _painter(color)
    calls = [node for node in nodes_of(graph) if not node.join]
    steps: list[Step] = []
    if critical:
        steps = steps_of(graph) if profile is None else profile.critical_path()
    path = f"  * {words_of(steps)}" if steps else ""
    room = width - len(path)
    name = graph.name or "workflow"
    if unrun(graph):
        head = f"{cut(clean(name), width // 3)}  {heading(graph)}"
    else:
        head = _head(name, graph.status, counts_of(graph), room, paint) + path
    if len(calls) <= lines - 1:
        starred = {step.bar.call for step in steps}
        found = _calls(graph, calls, width, paint, starred)
    else:
        starred = {step.bar.activity for step in steps}
        found = _activities(graph, calls, width, lines - 1, paint, starred)
    return "\n".join([head, *found])


class _Painter:
    """Writes marks in the colour of their status, or plainly."""

    def mark(self, status: str) -> str:
        return MARKS.get(status, "?")

    def dim(self, text: str) -> str:
        return text


class _ColorPainter(_Painter):
    def mark(self, status: str) -> str:
        return f"\x1b[{ANSI.get(status, '0')}m{super().mark(status)}\x1b[0m"

    def dim(self, text: str) -> str:
        return f"\x1b[2m{text}\x1b[0m" if text else text


def _painter(color: bool) -> _Painter:  # noqa: FBT001 - the public keyword, handed on
    return _ColorPainter() if color else _Painter()


def _head(name: str, status: str, counts: Mapping[str, int], width: int, paint: _Painter) -> str:
    title = cut(clean(name), width // 3)
    found = f"{title}  {paint.mark(status)} {status}"
    return found + _tally(counts, width - columns(title) - len(status) - 4, paint, words=True)


def _tally(counts: Mapping[str, int], room: int, paint: _Painter, *, words: bool) -> str:
    """Write as many counts as there is room for, each behind its mark."""
    found = ""
    for status, count in counts.items():
        word = f"{count:,} {status}" if words else f"{count:,}"
        room -= len(word) + 4
        if room < 0:
            break
        found += f"  {paint.mark(status)} {word}"
    return found


def _calls(
    graph: Graph, calls: list[Node], width: int, paint: _Painter, starred: Collection[str]
) -> list[str]:
    """Write a line a call, indented by how many calls lie before it."""
    data, control = _needs(graph)
    depth: dict[str, int] = {}
    for node in graph.nodes:
        before = [*data.get(node.id, ()), *control.get(node.id, ())]
        depth[node.id] = 1 + max((depth.get(b, -1) for b in before), default=-1)
    named = [(2 + 2 * min(_INDENTS, depth[n.id]), n, _written(n)) for n in calls]
    label = min(width * 3 // 5, max((indent + columns(t) + 2 for indent, _, t in named), default=0))
    found = []
    for indent, node, text in named:
        start = fill(text, label - indent - 2)
        line = f"{' ' * indent}{paint.mark(node.status)} {start}  {_seconds(node):>8}"
        line += " *" if node.id in starred else "  " if starred else ""
        room = width - label - (12 if starred else 10)
        shown = start.rstrip().endswith(")") and all(dep in start for dep in data.get(node.id, ()))
        needs = () if shown else data.get(node.id, ())
        note = _note(node, needs, control.get(node.id, ()), room - 2)
        found.append(f"{line}  {paint.dim(note)}".rstrip() if note else line.rstrip())
    return found


def _written(node: Node) -> str:
    """Write a call as in code, but by its id: other calls' arguments name it by that."""
    return clean(node.id + node.label.removeprefix(node.activity))


def _seconds(node: Node) -> str:
    if node.started is None or node.ended is None or node.status == "skipped":
        return ""
    return duration(max(0.0, node.ended - node.started))


def _note(node: Node, data: Iterable[str], control: Iterable[str], room: int) -> str:
    parts = ["from the cache"] if node.cached else []
    if node.repeats:
        parts.append(f"computes {clean(node.repeats)} again")
    if node.error and node.status != "skipped":
        parts.append(clean(node.error))
    if node.attempt > 1:
        parts.append(f"attempt {node.attempt}")
    if data:
        parts.append("← " + ", ".join(map(clean, data)))
    if control:
        parts.append("after " + ", ".join(map(clean, control)))
    return cut("  ".join(parts), room) if room > 3 else ""


def _needs(graph: Graph) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Give what each node needs: values, and calls that were read before."""
    data: defaultdict[str, list[str]] = defaultdict(list)
    control: defaultdict[str, list[str]] = defaultdict(list)
    for edge in graph.edges:
        (data if edge.kind == "data" else control)[edge.target].append(edge.source)
    joins = {node.id: control[node.id] for node in graph.nodes if node.join}
    for sources in control.values():
        sources[:] = [c for source in sources for c in joins.get(source, [source])]
    return data, control


def _activities(
    graph: Graph,
    calls: list[Node],
    width: int,
    lines: int,
    paint: _Painter,
    starred: Collection[str],
) -> list[str]:
    """Write a line an activity, then the calls that failed."""
    summary = grouped(graph, most=max(4, lines * 2 // 3))
    sources: defaultdict[str, list[str]] = defaultdict(list)
    for edge in summary.edges:
        sources[edge.target].append(clean(edge.source))
    names = [f"{clean(group.activity)} {TIMES} {group.calls:,}" for group in summary.nodes]
    label = min(width * 2 // 5, max(map(columns, names), default=0))
    found = [
        _activity(
            group, _starred(fill(name, label), group, starred), sources[group.id], width, paint
        )
        for group, name in zip(summary.nodes, names, strict=True)
    ]
    failed = [node for node in calls if node.status == "failed"]
    room = lines - len(found) - 1
    shown = failed if len(failed) <= room else failed[: max(0, room - 1)]
    for node in shown:
        line = cut(f"{_written(node)}  {clean(node.error)}", width - 4)
        found.append(f"  {paint.mark('failed')} {line}")
    rest = len(calls) - len(shown)
    found.append(paint.dim(f"  … {many(rest, 'call')} not listed one by one"))
    return found


def _starred(name: str, group: Group, starred: Collection[str]) -> str:
    """Put a star behind the activities that the critical path goes through."""
    if not starred:
        return name
    return name + (" *" if group.activity in starred else "  ")


def _activity(group: Group, name: str, sources: list[str], width: int, paint: _Painter) -> str:
    used = 4 + columns(name)
    counts = _tally(group.counts, width - used, paint, words=False)
    used += sum(len(f"{count:,}") + 4 for count in group.counts.values())
    line = f"  {paint.mark(group.status)} {name}{counts}"
    time = duration(group.seconds) if group.seconds else ""
    if time and used + len(time) + 2 <= width:
        line, used = f"{line}  {time}", used + len(time) + 2
    room = width - used - 2
    if not sources or room < 8:
        return line
    return f"{line}  {paint.dim(cut('← ' + ', '.join(sources), room))}"


# ---------------------------------------------------------------------- profile


def profile_text(
    profile: Profile,
    *,
    width: int = 100,
    lines: int = 60,
    color: bool = False,
    critical: bool = True,
) -> str:
    """Write a profile: a Gantt chart in block characters, its figures, a table of activities.

    Args:
        profile: The profile.
        width: How many columns there are.
        lines: How many lines there may be.
        color: Whether to write ANSI colours.
        critical: Whether the bars of the critical path are the dark ones.
    """
    width, lines = max(_LEAST, width), max(14, lines)
    paint = _painter(color)
    head = [cut(f"{clean(profile.name) or 'workflow'}  " + " · ".join(figures(profile)), width)]
    if not profile.bars:
        why = no_bars(*profile.reached(), over=profile.ended is not None)
        return "\n".join([*head, f"  {why}"])
    table = _table(profile, width, max(4, lines // 3))
    table += measures_table(profile, width, max(0, (lines - len(table)) // 3))
    steps = profile.critical_path()
    dark = {id(step.bar) for step in steps} if critical else set[int]()
    foot = [cut(" · ".join(totals(profile, steps)), width)]
    if dark:
        foot.append(_path(profile, steps, width))
    chart = _chart(profile, width, lines - len(table) - len(foot) - 3, paint, dark)
    return "\n".join([*head, *chart, *foot, *table])


def _chart(
    profile: Profile, width: int, most: int, paint: _Painter, dark: Collection[int]
) -> list[str]:
    rows = lanes(profile, most=10**9)
    begin, end = span(profile)
    label = min(_LABEL, max(columns(clean(lane.worker)) for lane in rows))
    room = width - label - 3
    found = []
    for lane in rows[: most if len(rows) <= most else most - 1]:
        name = cut_start(clean(lane.worker), label) if not lane.slot else ""
        found.append(f"{fill(name, label)} │{_bars(lane, begin, end, room, dark)}".rstrip())
    if len(found) < len(rows):
        found.append(paint.dim(f"{' ' * label} … {many(len(rows) - len(found), 'more lane')}"))
    return [*found, *_axis(end - begin, label, room)]


def _bars(lane: Lane, begin: float, end: float, room: int, dark: Collection[int]) -> str:
    """Draw a lane: neighbouring bars in two shades, failed ones light, waiting as a line.

    Bars of the critical path are darker than all others.
    """
    cells = [" "] * room
    scale = room / (end - begin)

    def column(at: float) -> int:
        return min(room - 1, max(0, int((at - begin) * scale)))

    for bar in lane.bars:
        for c in range(column(bar.ready), column(bar.started)):
            cells[c] = "─" if cells[c] == " " else cells[c]
    for number, bar in enumerate(lane.bars):
        stop = bar.ended if bar.ended is not None else end
        first = column(bar.started)
        last = max(first, min(room - 1, round((stop - begin) * scale) - 1))
        for c in range(first, last + 1):
            cells[c] = _shade(bar, number, dark)
        if cells[first] == "█" and first < last and dark and cells[first - 1 : first] == ["█"]:
            cells[first] = "▐"
        if bar.status in {"running", "failed", "cancelled"}:
            cells[last] = MARKS[bar.status]
    return "".join(cells)


def _shade(bar: Bar, number: int, dark: Collection[int]) -> str:
    if bar.status in {"failed", "cancelled"}:
        return "░"
    if not dark:
        return "█▓"[number % 2]
    return "█" if id(bar) in dark else "▓▒"[number % 2]


def _axis(length: float, label: int, room: int) -> list[str]:
    line, words = ["─"] * room, [" "] * (room + 1)
    for value, word in ticks(length, max(2, room // 12)):
        c = min(room - 1, int(value / length * room))
        line[c] = "┬"
        start = min(c, room + 1 - len(word))
        if all(char == " " for char in words[max(0, start - 1) : start + len(word)]):
            words[start : start + len(word)] = word
    return [f"{' ' * label} └{''.join(line)}", f"{' ' * label}  {''.join(words)}".rstrip()]


def _path(profile: Profile, steps: list[Step], width: int) -> str:
    words = [f"{clean(s.bar.call)} {duration(s.bar.seconds(profile.latest))}" for s in steps[:20]]
    more = f" → … {len(steps) - 20:,} more" if len(steps) > 20 else ""
    return cut("█ critical path: " + " → ".join(words) + more, width)


def _table(profile: Profile, width: int, most: int) -> list[str]:
    """Write a line an activity, the one with the most work first."""
    summaries = profile.by_activity()
    shown = summaries if len(summaries) < most else summaries[: most - 2]
    room = width - 56
    label = min(room, max([8, *(columns(clean(s.activity)) for s in shown)]))
    times = "".join(f" {word:>9}" for word in ("total", "mean", "longest", "queued"))
    found = [f"{fill('activity', label)} {'calls':>7} {'failed':>7}{times}"]
    found += [
        f"{fill(clean(s.activity), label)} {s.calls:>7,} {s.failed:>7,} {duration(s.total):>9}"
        f" {duration(s.mean):>9} {duration(s.longest):>9} {duration(s.queued):>9}"
        for s in shown
    ]
    if len(shown) < len(summaries):
        found.append(f"… {len(summaries) - len(shown):,} more activities")
    return found
