"""Groups, chains and late groups: calls that are composed before they are asked for.

Run it by ``python examples/canvas.py``.
"""

import nbflow
from nbflow import Chain, FuncGroup, Group


@nbflow.activity
def pages(site: str) -> list[str]:
    return [f"{site}/{n}" for n in (1, 2, 3)]


@nbflow.activity
def words(page: str) -> int:
    if page.endswith("shop/2"):
        message = f"{page} is down"
        raise ConnectionError(message)
    return len(page)


@nbflow.activity
def report(*counts: int | None) -> str:
    return f"{sum(c or 0 for c in counts)} words on {len(counts)} pages"


@nbflow.workflow
def side_by_side() -> list[int]:
    """No more than two of these are under way at once."""
    return Group(*[(words, page) for page in ("a", "bb", "ccc")], max_parallel=2).submit()


@nbflow.workflow
def one_by_one() -> list:
    """Each is handed the result of the one before; the late group is made of that."""
    late = FuncGroup(lambda found: [(words, page) for page in found], name="each page")
    return Chain((pages, "blog"), late, send_result=True).submit()


@nbflow.workflow
def with_holes(site: str) -> str:
    """A failure leaves a hole in the result, and fails nothing else."""
    found = Group(*[(words, f"{site}/{n}") for n in (1, 2, 3)], raises_on_failure=False)
    return report(*found.submit().result())


@nbflow.workflow
def with_errors(site: str) -> list[str]:
    """All errors of a group come as one, to be taken apart."""
    try:
        Group((words, f"{site}/2"), Group((words, f"{site}/2"), (words, "x"))).submit().result()
    except nbflow.AggregateException as errors:
        return [str(error) for error in errors.flatten().errors]
    return []


def main() -> None:
    nbflow.configure(store=":memory:")
    print("side by side:", side_by_side().result())
    run = one_by_one()
    print("one by one:  ", run.result())
    print("its groups:  ", sorted({node.group for node in run.graph if node.group}))
    print("with holes:  ", with_holes("shop").result())
    print("with errors: ", with_errors("shop").result())


if __name__ == "__main__":
    main()
