"""Activities, a workflow, futures: the same workflow as a function and as a class.

Run it by ``python examples/basic.py``.
"""

import nbflow


@nbflow.activity
def increment(x: int) -> int:
    return x + 1


@nbflow.activity
def double(x: int) -> int:
    return 2 * x


@nbflow.activity
def total(*numbers: int) -> int:
    return sum(numbers)


@nbflow.workflow
def as_function(x: int) -> int:
    """A future that is handed on makes an edge; nobody waits before a value is needed."""
    more = increment(x)
    return total(double(more), more, 1)


class AsClass(nbflow.Workflow):
    """The same, as a class with a `run` method."""

    name = "as_class"

    def run(self, x: int) -> int:
        more = self.submit(increment, x)
        return self.submit(total, self.submit(double, more), more, 1)


@nbflow.workflow
def by_value(numbers: list[int]) -> str:
    """Code may look at values, and decide by them."""
    parts = [double(n) for n in numbers]
    for part in nbflow.as_completed(parts):
        if part.result() > 5:
            break
    biggest = max(part.result() for part in parts)
    return "big" if total(*parts).result() > 2 * biggest else "small"


def main() -> None:
    nbflow.configure(store=":memory:")
    run = as_function(1)
    print("as a function:", run.result())
    print("as a class:   ", AsClass.start(1).result())
    print("by value:     ", by_value([3, 3, 3]).result(), by_value([1, 5]).result())
    print("edges:        ", ", ".join(f"{e.source} -> {e.target}" for e in run.graph.edges))
    print("in plain code:", increment(1))  # outside a workflow it is the function that it was


if __name__ == "__main__":
    main()
