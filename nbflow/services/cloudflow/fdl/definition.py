"""A flow's definition: read, checked, drawn, and written back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from nbflow.services.cloudflow.errors import FdlError
from nbflow.services.cloudflow.fdl import states, steps
from nbflow.services.cloudflow.fdl.check import check, notes
from nbflow.services.cloudflow.fdl.fields import mapping, plain, reading
from nbflow.services.cloudflow.fdl.graph import drawn
from nbflow.services.cloudflow.fdl.source import Source, read, write

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nbflow.services.cloudflow.interpret.local import LocalExecution
    from nbflow.viz.views import GraphView


@dataclass(frozen=True, slots=True)
class FlowDefinition:
    """A flow in either of the two languages.

    Attributes:
        flow: The flow, as objects: a `StateMachine` or, in the old language, an `OldFlow`.

    Example:
        >>> definition = FlowDefinition.parse(Path("order.yaml").read_text())
        >>> definition.graph                 # a picture
        >>> definition.to_yaml()
    """

    flow: states.StateMachine | steps.OldFlow

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a definition from YAML and check it.

        Args:
            text: YAML (or JSON) of at most 1,024 KiB.

        Raises:
            FdlError: It is no YAML, or no flow that CloudFlow takes; the message has the line.
        """
        return cls._of(read(text))

    @classmethod
    def of(cls, data: dict[str, Any]) -> Self:
        """Read a definition from plain data, as `parse` does from text.

        Raises:
            FdlError: It is no flow that CloudFlow takes.
        """
        return cls._of(Source(data))

    @classmethod
    def _of(cls, source: Source) -> Self:
        data = mapping(source)
        if "Type" in data:
            flow: states.StateMachine | steps.OldFlow = reading(states.StateMachine)(source)
        elif "type" in data:
            flow = reading(steps.OldFlow)(source)
        else:
            raise FdlError(
                "this is no flow: it begins with `Type: StateMachine`, or in the old language with "
                "`type: flow`",
                source.line,
            )
        check(flow)
        return cls(flow)

    @property
    def name(self) -> str:
        """The flow's name, "" where the old language gives none."""
        return self.flow.name or ""

    @property
    def old(self) -> bool:
        """Whether it is in the old language."""
        return isinstance(self.flow, steps.OldFlow)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is allowed but may be a slip: unknown keys, states that nothing leads to."""
        return notes(self.flow)

    def run(
        self,
        input: Any = None,  # noqa: A002 - the service's word
        *,
        actions: Mapping[str, Callable[[Any], Any]] | None = None,
        flows: Mapping[str, FlowDefinition | str] | None = None,
    ) -> LocalExecution:
        """Run it in this process, without any service; waits take no time.

        Args:
            input: Plain data.
            actions: What its calls do, by function, queue or action; see `LocalFlows`.
            flows: Other flows that it starts, by name.

        Example:
            >>> definition.run({"n": 3}, actions={"charge": lambda body: {"paid": 3}}).result()
        """
        from nbflow.services.cloudflow.interpret.local import run_flow  # noqa: PLC0415 - runs only

        return run_flow(self, input, actions, flows)

    def to_dict(self) -> dict[str, Any]:
        """Write it as plain data; nothing that was read is left out."""
        return dict(plain(self.flow))

    def to_yaml(self) -> str:
        """Write it as YAML that means the same; comments and layout are not kept."""
        return write(self.to_dict())

    @property
    def graph(self) -> GraphView:
        """Its states and what may follow them, as a graph that shows and saves itself."""
        from nbflow.viz.views import GraphView  # noqa: PLC0415 - loaded when a picture is wanted

        events, dashed = drawn(self.flow)
        graph = GraphView.of(events)
        graph.unrun = "state" if not self.old else "step"
        graph.edges.extend(dashed)
        return graph
