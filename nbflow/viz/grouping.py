"""The calls of a graph summed up by activity, kept up to date call by call.

A run of 100,000 calls cannot be gone through ten times a second. A `Grouping` remembers how it
counted each call; it is told which ones have changed, and looks at those and at new edges only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from itertools import islice

from nbflow.core.call import CallState
from nbflow.core.events import CallSucceeded
from nbflow.core.graph import Edge, Graph, Node
from nbflow.viz.bundles import MOST, OTHERS, Group, Link, Summary, bundles, links
from nbflow.viz.standing import STATES, status_of
from nbflow.viz.standing import shown as as_shown

BOXES = 1500
"""How many boxes a summary has at most, however many activities are opened."""

_FAILED_SHARE, _RUNNING_SHARE = 0.5, 0.25
"""Which parts of the room for an activity its failed and its running calls may take."""
_UNDER_WAY = frozenset({"running", "retrying"})


class _Tally:
    """How the calls of one activity stand."""

    __slots__ = ("calls", "counts", "seconds")

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.counts = dict.fromkeys(STATES, 0)
        self.seconds = 0.0


class Grouping:
    """A graph's calls by activity.

    Args:
        graph: The graph; it may grow. What it has already is counted at once.

    Example:
        >>> grouping = Grouping(graph)
        >>> changed, graph.changed = graph.changed, set()
        >>> grouping.update(changed)
        >>> grouping.summary(open={"fetch"})
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._begin()
        self.update(())

    def _begin(self) -> None:
        self._source = self.graph.history.calls
        self._tallies: dict[str, _Tally] = {}
        self._standing: dict[str, tuple[str, str, float]] = {}
        self._looked = 0
        self._begin_edges()

    def _begin_edges(self) -> None:
        self._edges = self.graph.edges
        self._read = 0
        self._links: dict[Link, tuple[int, str]] = {}
        self._into: dict[str, list[str]] = {}
        self._out: dict[str, list[str]] = {}

    # ------------------------------------------------------------------ counting

    def update(self, changed: Iterable[str] | None = None) -> None:
        """Look at new calls and edges, and at calls that have changed.

        Args:
            changed: Their ids, as in `Graph.changed`; by default all calls are looked at.
        """
        calls = self.graph.history.calls
        if calls is not self._source:
            self._begin()
        for call in calls if changed is None else changed:
            if call in self._standing:
                self._count(calls[call])
        if len(calls) > self._looked:
            # In their order, which `changed` does not keep.
            for state in islice(calls.values(), self._looked, None):
                self._count(state)
            self._looked = len(calls)
        self._read_edges()

    def _count(self, state: CallState) -> None:
        """Count a call as it stands now, and no longer as it stood before."""
        name = state.name
        if not name:
            return
        standing = (name, status_of(state), seconds_of(state))
        old = self._standing.get(state.id)
        if old == standing:
            return
        self._standing[state.id] = standing
        tally = self._tallies.get(name)
        if tally is None:
            tally = self._tallies[name] = _Tally()
        tally.counts[standing[1]] += 1
        tally.seconds += standing[2]
        if old is None:
            tally.calls.append(state.id)
            return
        before = self._tallies[old[0]]
        before.counts[old[1]] -= 1
        before.seconds -= old[2]
        if before is not tally:  # after a resume the code may ask for something else
            before.calls.remove(state.id)
            tally.calls.append(state.id)
            self._begin_edges()

    def _read_edges(self) -> None:
        edges, standing = self.graph.edges, self._standing
        if edges is not self._edges:
            self._begin_edges()
        for edge in islice(edges, self._read, None):
            source, target = standing.get(edge.source), standing.get(edge.target)
            if target is None:
                if source is not None:
                    self._into.setdefault(edge.target, []).append(edge.source)
            elif source is not None:
                self._link((source[0], target[0], edge.kind), edge)
            elif edge.source in self._into:
                self._out.setdefault(edge.source, []).append(edge.target)
                for name in {standing[call][0] for call in self._into[edge.source]}:
                    self._link((name, target[0], edge.kind), edge)
        self._read = len(edges)

    def _link(self, link: Link, edge: Edge) -> None:
        """Count a target once: its edges come one after the other."""
        count, last = self._links.get(link, (0, ""))
        if last != edge.target or not count:
            self._links[link] = (count + 1, edge.target)

    # ------------------------------------------------------------------ what there is

    @property
    def activities(self) -> list[str]:
        """The activities, by their first calls."""
        return list(self._tallies)

    @property
    def calls(self) -> int:
        """How many calls there are."""
        return len(self._standing)

    def calls_of(self, activity: str) -> list[str]:
        """Give the ids of an activity's calls, in their order.

        Raises:
            KeyError: There is no call of it.
        """
        return list(self._tallies[activity].calls)

    def counts(self, activity: str | None = None) -> dict[str, int]:
        """Count the calls, all or of one activity, by status: those statuses that occur.

        Raises:
            KeyError: There is no call of this activity.
        """
        names = self._tallies if activity is None else [activity]
        return self._stand(names)[0]

    def summary(
        self,
        open: Collection[str] = (),  # noqa: A002 - the word of the panel's messages
        *,
        most: int = 150,
        boxes: int = BOXES,
    ) -> Summary:
        """Sum up the graph as it was at the last update.

        Args:
            open: Activities that are shown call by call. One with more calls than there is room
                for shows failed and running ones, the first of the others, and a box for the
                rest. Names of no activity are passed over.
            most: How many groups there may be besides; the activities with the fewest calls share
                the last.
            boxes: How many boxes there may be in all.
        """
        plan = _Plan(self, open, most, boxes)
        found, inner = bundles(self._counted(plan))
        return Summary(
            name=self.graph.name,
            status=self.graph.status,
            counts=self.counts(),
            boxes=self._boxes(plan, inner),
            edges=found[:MOST],
            left_out=max(0, len(found) - MOST),
        )

    def _counted(self, plan: _Plan) -> Mapping[Link, int]:
        if not plan.shown and not plan.others:
            return {link: count for link, (count, _) in self._links.items()}
        standing, activity = self._standing, plan.of_activity
        single = plan.single

        def box(call: str) -> str | None:
            if call in single:
                return call
            known = standing.get(call)
            return activity.get(known[0]) if known else None

        return links(self._edges, box, single, self._into)

    def _boxes(self, plan: _Plan, inner: Mapping[str, int]) -> list[Group | Node]:
        found: list[Group | Node] = []
        for name in self._tallies:
            shown = plan.shown.get(name)
            if shown:
                found += [as_shown(self.graph.node(call)) for call in shown]
            if name in plan.of_activity and name not in plan.others:
                counts, seconds = self._stand([name], shown or ())
                box = plan.of_activity[name]
                group = Group(id=box, activity=name, counts=counts, seconds=seconds)
                rest = shown is not None
                found.append(replace(group, inner=inner.get(box, 0), rest=rest))
        if plan.others:
            counts, seconds = self._stand(plan.others)
            box = plan.others_id
            words = f"{len(plan.others):,} other activities"
            group = Group(id=box, activity=words, counts=counts, seconds=seconds)
            found.append(replace(group, inner=inner.get(box, 0), others=True))
        return found + [self.graph.node(join) for join in plan.joins]

    def _stand(
        self, names: Iterable[str], without: Iterable[str] = ()
    ) -> tuple[dict[str, int], float]:
        """Give the counts and the seconds of activities, without some of their calls."""
        counts, seconds = dict.fromkeys(STATES, 0), 0.0
        for name in names:
            tally = self._tallies[name]
            seconds += tally.seconds
            for status, count in tally.counts.items():
                counts[status] += count
        for call in without:
            _, status, took = self._standing[call]
            counts[status] -= 1
            seconds -= took
        return {s: count for s, count in counts.items() if count}, max(0.0, seconds)

    def latest(self, summary: Summary) -> Summary:
        """Give the same boxes and edges, with counts and statuses as of the last update.

        So a picture follows a run without being laid out again. Calls that have come since are
        in the counts of groups only.
        """
        shown: dict[str, list[str]] = {}
        for node in summary.calls:
            if node.id in self._standing:
                shown.setdefault(self._standing[node.id][0], []).append(node.id)
        single = {box.activity for box in summary.nodes if not box.others} | shown.keys()
        others = [name for name in self._tallies if name not in single]
        found: list[Group | Node] = []
        for box in summary.boxes:
            if isinstance(box, Node):
                found.append(as_shown(self.graph.node(box.id)))
                continue
            names = others if box.others else [box.activity]
            counts, seconds = self._stand(names, shown.get(box.activity, ()) if box.rest else ())
            found.append(replace(box, counts=counts, seconds=seconds))
        return replace(summary, status=self.graph.status, counts=self.counts(), boxes=found)

    def choose(self, activity: str, room: int) -> list[str]:
        """Choose the calls of an activity that are shown where there is room for so many.

        All, or else failed and running ones, and of the others the first; in their order.
        """
        calls, standing = self._tallies[activity].calls, self._standing
        if len(calls) <= room:
            return list(calls)
        failed = (call for call in calls if standing[call][1] == "failed")
        running = (call for call in calls if standing[call][1] in _UNDER_WAY)
        chosen = {
            *islice(failed, int(room * _FAILED_SHARE)),
            *islice(running, int(room * _RUNNING_SHARE)),
        }
        chosen.update(islice((c for c in calls if c not in chosen), room - len(chosen)))
        return [call for call in calls if call in chosen]

    def joins_between(self, single: Collection[str], most: int) -> list[str]:
        """Give the joins, so many at most, that lead from one of these calls to another."""
        between = (
            join
            for join, targets in self._out.items()
            if any(call in single for call in targets)
            and any(call in single for call in self._into[join])
        )
        return list(islice(between, most))


class _Plan:
    """Which box each call goes to.

    Attributes:
        shown: The calls that are shown one by one, by activity.
        joins: The joins that are shown.
        single: Both.
        of_activity: The box of an activity's other calls.
        others: The activities that share a box.
        others_id: The id of that box.
    """

    def __init__(self, grouping: Grouping, opened: Collection[str], most: int, boxes: int) -> None:
        names = grouping.activities
        shut = [name for name in names if name not in opened]
        self.others = self._sharing(grouping, shut, most)
        opened = [name for name in names if name in opened]
        around = min(len(shut), most) + len(opened)
        room = max(boxes - around, len(opened))
        self.shown = self._share(grouping, opened, room)
        calls = {call for shown in self.shown.values() for call in shown}
        self.joins = grouping.joins_between(calls, max(0, boxes - around - len(calls)))
        self.single = calls.union(self.joins)
        self.others_id = self._free(OTHERS)
        self.of_activity = {
            name: self._free(name)
            for name in names
            if len(self.shown.get(name, ())) < len(grouping.calls_of(name))
        }
        self.of_activity.update(dict.fromkeys(self.others, self.others_id))

    def _sharing(self, grouping: Grouping, shut: list[str], most: int) -> list[str]:
        if len(shut) <= most:
            return []
        ranking = sorted(shut, key=lambda name: -len(grouping.calls_of(name)))
        kept = set(ranking[: most - 1])
        return [name for name in shut if name not in kept]

    def _share(self, grouping: Grouping, opened: list[str], room: int) -> dict[str, list[str]]:
        """Share the room among opened activities; what small ones leave is for the others."""
        found: dict[str, list[str]] = {}
        ranking = sorted(opened, key=lambda name: len(grouping.calls_of(name)))
        for i, name in enumerate(ranking):
            found[name] = grouping.choose(name, room // (len(ranking) - i))
            room -= len(found[name])
        return found

    def _free(self, name: str) -> str:
        """Make an id of a name that no box of a single call has."""
        while name in self.single:
            name += "…"
        return name


def seconds_of(state: CallState) -> float:
    """Give how long a call took, if it ran to an end."""
    outcome = state.outcome
    if outcome is None or state.because is not None:
        return 0.0
    if type(outcome) is CallSucceeded:  # nearly all of them
        return outcome.run_ns * 1e-9
    report = getattr(outcome, "report", None)
    if report is not None:
        return max(0.0, float(report.ended - report.started))
    return max(0.0, outcome.at - state.started.at) if state.started else 0.0
