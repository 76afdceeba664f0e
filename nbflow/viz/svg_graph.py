"""A graph in SVG: a box a call, or a box an activity where there are many calls."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping

from nbflow.core.graph import Graph, Node
from nbflow.viz.critical import NOTHING, Marks
from nbflow.viz.drawing import Scene
from nbflow.viz.groups import Group, Summary
from nbflow.viz.layered import Curve, Point
from nbflow.viz.layout import COMPACT, FULL, Layout, Place
from nbflow.viz.nested import Frame
from nbflow.viz.palette import (
    DASHED,
    EDGE,
    FAINT,
    INK,
    OTHER_COLOR,
    PAPER,
    RULE,
    STATUS_COLORS,
    tint,
)
from nbflow.viz.pen import (
    BOLD,
    Fragment,
    chips,
    escape,
    n,
    path,
    rect,
    room,
    status_icon,
    text,
    text_width,
)
from nbflow.viz.rows import part_of
from nbflow.viz.shares import group_bar, group_words
from nbflow.viz.standing import CACHED, counts_of, heading
from nbflow.viz.wording import TIMES, clean, cut_id, duration, many

HEAD = 52.0
HEAVY = 2.6
"""How wide the lines of the critical path are."""
Head = list[Point]


def graph_fragment(shown: Scene, least: float = 0.0, marked: Marks = NOTHING) -> Fragment:
    """Draw a graph, at least so wide, under a line that says whose it is and how it stands.

    Args:
        shown: The graph, laid out.
        least: How wide the picture is at least.
        marked: What lies on the critical path (`nbflow.viz.critical.marks`): its boxes have a
            second rim, its edges are heavy.
    """
    head, head_width, x = _head(shown.graph)
    legend = ""
    if marked.words:
        legend, x = _path_legend(marked.words, x)
    if shown.tiny and len(shown.graph):
        more, x = _legend(shown.colors, x)
        legend += more
    width = max(head_width, x, shown.layout.width, least)
    left = (width - shown.layout.width) / 2
    edges = _edges(shown, marked.edges)
    if shown.summary:
        edges += _counts(shown.summary, shown.layout)
    places = shown.layout.places
    boxes = [_box(node, places[node.id], shown.colors, marked.boxes) for node in shown.boxes]
    behind = "".join(map(_nest, shown.frames))
    kin = shown.graph.history.children
    boxes = [*(_behind(places[node.id]) for node in shown.boxes if node.id in kin), *boxes]
    drawn = f"{behind}{edges}{''.join(boxes)}"
    inside = f'<g transform="translate({n(left)} {n(HEAD)})">{drawn}</g>'
    note = 18 if shown.summary and shown.summary.left_out else 0
    return Fragment(head + legend + inside, width, HEAD + shown.layout.height + 2 + note)


def _legend(colors: Mapping[str, str], x: float) -> tuple[str, float]:
    """Name the activities by colour, behind the counts, where the boxes cannot."""
    found = []
    for name, color in list(colors.items())[:6]:
        word = clean(name)[:30]
        found.append(rect(x, 27, 11, 11, tint(color, 0.35), rx=2.5))
        found.append(text(x + 16, 36, word, 11.5, fill=FAINT))
        x += 30 + text_width(word, 11.5)
    return "".join(found), x


def _head(graph: Graph) -> tuple[str, float, float]:
    """Write whose graph it is and how it stands; give the width, and the end of the counts."""
    name = clean(graph.name) or "workflow"
    counts = list(counts_of(graph).items())
    status = heading(graph)
    beside = min(460, text_width(name, 16 * BOLD)) + 14
    body = [
        text(0, 15, name, 16, weight=600, pixels=460),
        text(beside, 15, status, 12, fill=FAINT),
        chips(0, 36, counts),
    ]
    shown = sum(30 + text_width(f"{count:,} {status}", 11.5) for status, count in counts)
    return "".join(body), max(beside + text_width(status, 12), shown), shown + 16 if shown else 0.0


# ---------------------------------------------------------------------- edges


def _path_legend(words: str, x: float) -> tuple[str, float]:
    """Say what heavy lines are; give the x of the end."""
    sample = f'<path d="M{n(x)} 32h18" stroke="{INK}" stroke-width="{HEAVY}"/>'
    return sample + text(x + 24, 36, words, 11.5, fill=FAINT), x + 40 + text_width(words, 11.5)


def _edges(shown: Scene, heavy: Collection[tuple[str, str]]) -> str:
    """Draw edges of a kind as one path: of data, of control (dashed), and both where heavy."""
    places, curves = shown.layout.places, shown.layout.curves
    paths: defaultdict[tuple[bool, bool], list[str]] = defaultdict(list)
    heads: defaultdict[bool, list[Head]] = defaultdict(list)
    for edge in shown.edges:
        ends = (edge.source, edge.target)
        curve = curves.get(ends)
        if not curve:
            continue
        paths[ends in heavy, edge.kind != "data"].append(path(curve))
        if not shown.tiny and not places[edge.target].dot:
            heads[ends in heavy].append(arrow(curve, 8.0 if ends in heavy else 6.0))
    width = 1.0 if shown.tiny else 1.5 if shown.summary else 1.3
    found = [_strokes(paths[False, False], paths[False, True], heads[False], width, EDGE)]
    if heavy:
        found.append(_strokes(paths[True, False], paths[True, True], heads[True], HEAVY, INK))
    return "".join(found)


def _counts(summary: Summary, found: Layout) -> str:
    """Write on each bundle how many calls it stands for."""
    words: list[str] = []
    for edge in summary.edges:
        if edge.count > 1:
            x, y = middle(found.curves[edge.source, edge.target])
            label = f"{TIMES}{edge.count:,}"
            width = text_width(label, 10) + 8
            words.append(rect(x - width / 2, y - 7, width, 14, PAPER, rx=7))
            words.append(text(x, y + 3.5, label, 10, fill=FAINT, anchor="middle"))
    if summary.left_out:
        note = f"… {many(summary.left_out, 'edge')} not drawn"
        words.append(text(0, found.height + 14, note, 11, fill=FAINT))
    return "".join(words)


def _strokes(
    solid: list[str], dashed: list[str], heads: list[Head], width: float, color: str
) -> str:
    lines = f'<g fill="none" stroke="{color}" stroke-width="{width}">'
    if solid:
        lines += f'<path d="{"".join(solid)}"/>'
    if dashed:
        lines += f'<path d="{"".join(dashed)}" stroke-dasharray="4 3" opacity=".8"/>'
    tips = "M".join(" ".join(f"{n(x)} {n(y)}" for x, y in head) + "z" for head in heads)
    return lines + "</g>" + (f'<path d="M{tips}" fill="{color}"/>' if heads else "")


def arrow(curve: Curve, size: float = 6.0) -> Head:
    """Give the corners of the head at the end of a curve."""
    x, y = curve[-1]
    dx, dy = next(
        ((x - a, y - b) for a, b in reversed(curve[:-1]) if abs(x - a) + abs(y - b) > 1e-6),
        (0.0, 1.0),
    )
    length = (dx * dx + dy * dy) ** 0.5
    dx, dy = dx / length * size, dy / length * size
    return [(x, y), (x - dx + dy * 0.5, y - dy - dx * 0.5), (x - dx - dy * 0.5, y - dy + dx * 0.5)]


def middle(curve: Curve) -> tuple[float, float]:
    """Give the point in the middle of a curve's middle segment."""
    segments = [curve[i : i + 4] for i in range(0, len(curve) - 1, 3)]
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = segments[len(segments) // 2]
    return (x0 + 3 * x1 + 3 * x2 + x3) / 8, (y0 + 3 * y1 + 3 * y2 + y3) / 8


# ---------------------------------------------------------------------- boxes


def _box(
    node: Node | Group, place: Place, colors: Mapping[str, str], heavy: Collection[str]
) -> str:
    if node.join:
        if not place.dot:
            return ""  # the lines tell of it
        return f'<circle cx="{n(place.x)}" cy="{n(place.y)}" r="3.5" fill="{EDGE}"/>'
    x, y = place.x - place.width / 2, place.y - place.height / 2
    color = colors.get(node.activity, OTHER_COLOR)
    rim = _rim(place) if node.id in heavy else ""
    if isinstance(node, Group):
        inside = _group(node, x, y, place)
    elif place.width >= FULL[0]:
        inside = _full(node, x, y, place)
    elif place.width >= COMPACT[0]:
        inside = _compact(node, x, y, place)
    else:
        return _tiny(node, x, y, place, color, rim)
    said = hint(node) + (", on the critical path" if rim else "")
    return (
        f"<g><title>{escape(said)}</title>{_frame(node.status, x, y, place)}{rim}"
        f'<path d="{_stripe(x, y, place.height)}" fill="{color}"/>{inside}</g>'
    )


def _behind(place: Place) -> str:
    """Draw the second box behind a call that is a run of its own."""
    x, y = place.x - place.width / 2 + 4, place.y - place.height / 2 + 4
    more = f' stroke="{EDGE}" stroke-width="1.2"'
    return rect(x, y, place.width, place.height, tint(EDGE, 0.12), rx=7, more=more)


def _nest(frame: Frame) -> str:
    """Draw the frame of a composition, under its name."""
    place = frame.place
    x, y = place.x - place.width / 2, place.y - place.height / 2
    name, calls = clean(frame.title), f"{TIMES}{sum(frame.counts.values()):,}"
    room_ = place.width - 40 - text_width(calls, 10)
    more = f' stroke="{EDGE}" stroke-opacity=".55" fill-opacity=".05"'
    return (
        f"<g><title>{escape(tally_words(frame.path, frame.counts, frame.seconds))}</title>"
        f"{rect(x, y, place.width, place.height, EDGE, rx=9, more=more)}"
        + status_icon(x + 14, y + 12, 6, frame.status)
        + text(x + 26, y + 16, name, 12, fill=INK, weight=600, pixels=room_)
        + text(x + place.width - 8, y + 16, calls, 10, fill=FAINT, anchor="end")
        + "</g>"
    )


def tally_words(path: str, counts: Mapping[str, int], seconds: float) -> str:
    """Say about a composition what its frame has no room for."""
    found = ", ".join(f"{count:,} {status}" for status, count in counts.items())
    return f"{clean(path)}: {found}; {duration(seconds)} in all"


def hint(node: Node | Group) -> str:
    """Say about a node what its box has no room for."""
    if isinstance(node, Group):
        counts = ", ".join(f"{count:,} {status}" for status, count in node.counts.items())
        return f"{_hinted(node)}: {counts}; {duration(node.seconds)} in all"
    parts = [f"{node.id}: {node.label or node.activity}", node.status]
    if (seconds := seconds_of(node)) is not None:
        parts.append(duration(seconds))
    if node.attempt > 1:
        parts.append(f"attempt {node.attempt}")
    return ", ".join([*parts, *filter(None, (node.worker, node.error))])


def _hinted(group: Group) -> str:
    return f"{group.calls:,} more of {group.activity}" if group.rest else group.activity


def seconds_of(node: Node) -> float | None:
    """Give how long a call took, if it ran to an end."""
    if node.started is None or node.ended is None or node.status == "skipped":
        return None
    return max(0.0, node.ended - node.started)


def time_of(node: Node) -> str:
    """Write how long a call took, for the corner of its box; nothing if it did not end.

    One that was answered from the cache took none: that is said instead.
    """
    seconds = seconds_of(node)
    if node.status == CACHED:
        return CACHED
    return "" if seconds is None else duration(seconds)


def detail(node: Node) -> str:
    """Say what a box's second line says: the error, or the arguments."""
    if node.error and node.status != "skipped":
        return node.error
    words = node.label.removeprefix(node.activity)
    words = words[1:-1] if words.startswith("(") and words.endswith(")") else words
    tries = f"attempt {node.attempt}" if node.attempt > 1 else ""
    return " · ".join(filter(None, (tries, words)))


def _frame(status: str, x: float, y: float, place: Place) -> str:
    color = STATUS_COLORS.get(status, FAINT)
    more = f' stroke="{color}" stroke-width="{1.8 if status in {"failed", "running"} else 1.2}"'
    more += ' stroke-dasharray="4 2.5"' if status in DASHED else ""
    return rect(x, y, place.width, place.height, tint(color, 0.09), rx=7, more=more)


def _stripe(x: float, y: float, height: float) -> str:
    """Write the path of the strip along the left of a box that has the activity's colour."""
    return f"M{n(x + 5)} {n(y)}v{n(height)}a5 7 0 0 1 -5 -7v{n(14 - height)}a5 7 0 0 1 5 -7z"


def _full(node: Node, x: float, y: float, place: Place) -> str:
    width = place.width - 36
    time = time_of(node)
    name = cut_id(
        clean(node.id), room(width - (text_width(time, 10) + 8 if time else 0), 12.5 * BOLD)
    )
    failed = node.status == "failed"
    return (
        status_icon(x + 18, y + 14, 7, node.status)
        + text(x + 30, y + 18, name, 12.5, weight=600)
        + text(x + place.width - 7, y + 18, time, 10, fill=FAINT, anchor="end")
        + text(
            x + 11,
            y + 34,
            detail(node),
            10,
            fill="#a33f00" if failed else FAINT,
            pixels=place.width - 17,
        )
        + _progress(node, x + 11, y + place.height - 5, place.width - 20)
    )


def progress_of(node: Node) -> float | None:
    """Give which part of its work a running call said is done; None if it did not say."""
    part = part_of(node.done, node.total) if node.status == "running" else math.nan
    return None if math.isnan(part) else part


def _progress(node: Node, x: float, y: float, width: float) -> str:
    """Draw how far a running call is."""
    part = progress_of(node)
    if part is None:
        return ""
    done = rect(x, y, width * part, 3, STATUS_COLORS["running"], rx=1.5) if part else ""
    return rect(x, y, width, 3, RULE, rx=1.5) + done


def _compact(node: Node, x: float, y: float, place: Place) -> str:
    middle_y = y + place.height / 2
    label = text(x + 24, middle_y + 3.5, cut_id(clean(node.id), room(place.width - 27, 10)), 10)
    return status_icon(x + 14, middle_y, 6, node.status) + label


def _rim(place: Place) -> str:
    """Draw the second, dark rim of a box on the critical path."""
    gap = rim_gap(place)
    left, top = place.x - place.width / 2 - gap, place.y - place.height / 2 - gap
    more = f' stroke="{INK}" stroke-width="2"'
    return rect(
        left, top, place.width + 2 * gap, place.height + 2 * gap, "none", rx=7 + gap, more=more
    )


def rim_gap(place: Place) -> float:
    """Give how far outside a box its second rim is."""
    return 3.0 if place.width >= COMPACT[0] else 1.5


def _tiny(node: Node, x: float, y: float, place: Place, color: str, rim: str) -> str:
    frame = rect(x, y, place.width, place.height, tint(color, 0.35), rx=5)
    mark = status_icon(place.x, place.y, 7.5, node.status)
    said = hint(node) + (", on the critical path" if rim else "")
    return f"<g><title>{escape(said)}</title>{frame}{mark}{rim}</g>"


def _group(group: Group, x: float, y: float, place: Place) -> str:
    count = f"{TIMES}{group.calls:,}"
    taken = text_width(count, 12) + 8
    bar = [
        rect(left, y + 40, width, 5, STATUS_COLORS.get(status, FAINT))
        for left, width, status in group_bar(group, x + 12, place.width - 22)
    ]
    return (
        status_icon(x + 18, y + 14, 7, group.status)
        + text(x + 30, y + 18, group.title, 12.5, weight=600, pixels=place.width - 36 - taken)
        + text(x + place.width - 8, y + 18, count, 12, fill=INK, anchor="end")
        + text(x + 12, y + 34, group_words(group), 10, fill=FAINT, pixels=place.width - 18)
        + "".join(bar)
    )
