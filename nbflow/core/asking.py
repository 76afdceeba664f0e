"""The part of the interpreter by which code asks for calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from nbflow.core import naming
from nbflow.core.activity import Activity
from nbflow.core.call import CallState
from nbflow.core.edges import check_edge
from nbflow.core.errors import FutureMisuse
from nbflow.core.future import Future, Gathered, call_id
from nbflow.core.naming import Naming
from nbflow.core.payload import WORD, Ref, Stored, is_plain, pack

if TYPE_CHECKING:
    from nbflow.core.history import History
    from nbflow.core.payload import Put
    from nbflow.core.recall import Recall

T = TypeVar("T")


class Asking(Naming):
    """What an interpreter does when workflow code calls an activity."""

    __slots__ = ()

    if TYPE_CHECKING:
        group: str
        run: str
        history: History
        limit: int | None
        put: Put | None
        recall: Recall
        _asked: list[CallState]
        _counts: dict[str, int]
        _edges: set[tuple[Activity[..., Any], Activity[..., Any], int | str]]
        _ids: dict[str, Future[Any]]
        _read: dict[str, None]
        _turn: int

        def value(self, state: CallState) -> Any: ...  # noqa: D102 - the interpreter has it
        def check_limit(self) -> None: ...  # noqa: D102
        def refuse_inside(self, future: Future[Any]) -> None: ...  # noqa: D102

    def call(  # noqa: C901 - the way of every call, which a function more would make longer
        self,
        activity: Activity[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        call: str = "",
    ) -> Future[T]:
        """Ask for a call: the next one of that activity, unless it is given an id of its own."""
        if kwargs or not activity.low <= len(args) <= activity.high:
            activity.check(args, kwargs)
            if activity.settings.idempotent and not call:
                return self._one_call(activity, args, kwargs)
        name = activity.name
        if not call:
            counts = self._counts
            number = counts[name] = counts.get(name, 0) + 1
            call = f"{name}-{number}"
        stored: tuple[Stored, ...] = args
        named: dict[str, Stored] | None = None
        deps: tuple[str, ...] = ()
        first = args[0] if len(args) == 1 else None
        if type(first) is Future:
            stored, deps = self._edge(activity, args, call)
        elif (
            args
            and not (type(first) is int and -WORD < first < WORD)
            and not all(map(is_plain, args))
        ):
            stored, deps = self._packed(activity, args, call)
        if kwargs:
            named, more = self._packed_by_name(activity, kwargs, call)
            deps += more
        after = self._new_turn() if self._read else ()
        asked = CallState(
            call, name, stored, named, deps, self._turn, after, activity.digest, activity
        )
        if self.group:
            asked.group = self.group
        recall, calls, before = self.recall, self.history.calls, self._asked
        if recall.reordered is not None:
            call = asked.id = recall.reordered.call(asked)
        state = asked
        if call in calls:
            state = calls[call]
            asked = recall.known(state, asked)
        if len(before) >= naming.MOST_CALLS:
            raise naming.too_many(self.run)
        before.append(state)
        ask = recall.ask  # may have changed: the log and the code agree by now
        ask(asked)
        return Future(state, self)  # type: ignore[arg-type] # the interpreter is its only kind

    def _edge(
        self, activity: Activity[..., Any], args: tuple[Future[Any]], call: str
    ) -> tuple[tuple[Stored, ...], tuple[str, ...]]:
        """The same as `_packed` for what is most of many graphs: one Future, and nothing else."""
        future = args[0]
        state = future._state  # noqa: SLF001 - the other half of Future
        if future._interpreter is not self or not state.name:  # noqa: SLF001
            return self._packed(activity, args, call)
        if (state.activity, activity, 0) not in self._edges:
            self._check_edge(state, activity, 0)
        call = state.id
        return (Ref(call),), (call,)

    def _packed(
        self, activity: Activity[..., Any], args: tuple[Any, ...], call: str
    ) -> tuple[tuple[Stored, ...], tuple[str, ...]]:
        """Give the stored form of positional arguments, and the calls they refer to."""
        deps: list[str] = []
        stored: list[Stored] = []
        for n, value in enumerate(args):
            # As `_pack` does, without calling it: most that is no plain value is a Future.
            if type(value) is Future and value._interpreter is self and value._state.name:  # noqa: SLF001 - the other half of Future
                state = value._state  # noqa: SLF001
                if (state.activity, activity, n) not in self._edges:
                    self._check_edge(state, activity, n)
                deps.append(state.id)
                stored.append(Ref(state.id))
            else:
                stored.append(self._pack(value, activity, call, n, deps))
        return tuple(stored), tuple(deps)

    def _packed_by_name(
        self, activity: Activity[..., Any], kwargs: dict[str, Any], call: str
    ) -> tuple[dict[str, Stored], tuple[str, ...]]:
        deps: list[str] = []
        return {k: self._pack(v, activity, call, k, deps) for k, v in kwargs.items()}, tuple(deps)

    def _check_edge(self, state: CallState, activity: Activity[..., Any], where: int | str) -> None:
        """Compare annotations along each kind of edge once."""
        source = state.activity
        if source is not None and (edge := (source, activity, where)) not in self._edges:
            self._edges.add(edge)
            check_edge(source, activity, where)

    def _new_turn(self) -> tuple[str, ...]:
        """Note that the code has read results since it last asked: control edges begin here."""
        if self.limit is not None:
            self.check_limit()
        self._turn += 1  # type: ignore[misc] # a slot of the interpreter
        after, self._read = tuple(self._read), {}  # type: ignore[misc] # as above
        return after

    def _pack(
        self,
        value: Any,
        activity: Activity[..., Any],
        call: str,
        where: int | str,
        deps: list[str],
    ) -> Stored:
        kind = type(value)
        if kind is Future:
            if value._interpreter is not self:  # noqa: SLF001 - the other half of Future
                self._own(value)
            state = value._state  # noqa: SLF001
            if not state.name:  # a signal or a timer: no call to depend on
                return pack(self.value(state), f"argument {where!r} of {call}", put=self.put)
            self._check_edge(state, activity, where)
            deps.append(state.id)
            return Ref(state.id)
        if is_plain(value):
            return value  # type: ignore[no-any-return]
        if isinstance(value, Gathered):
            value = value.futures
        elif hasattr(kind, "_asyncio_future_blocking"):
            message = f"argument {where!r} of {call} is an asyncio task: await it, and hand on that"
            raise FutureMisuse(message)

        def ref(item: object) -> str | None:
            found = call_id(item)
            if found is not None:
                self._own(item)  # type: ignore[arg-type]
                self.refuse_inside(item)  # type: ignore[arg-type]
                deps.append(found)
            return found

        return pack(value, f"argument {where!r} of {call}", ref, put=self.put)

    def _own(self, future: Future[Any]) -> None:
        other = future._interpreter  # noqa: SLF001 - the other half of Future
        if other is not self:
            message = (
                f"the Future of {future.call} belongs to run {other.run}, not to {self.run}: "
                "hand its value over with run.result()"
            )
            raise FutureMisuse(message)
