"""Programs and other interpreters as activities: results, errors, time limits.

Run it by ``python examples/execute.py``.
"""

import sys

import nbflow


@nbflow.activity
@nbflow.execute.program("sort")
def sort(file: str, r: bool = False) -> str:
    """`sort(file, r=True)` runs ``sort -r file``; the body is not run."""


@nbflow.activity
@nbflow.execute.python(sys.executable)
def shout(words: list[str]) -> list[str]:
    """This runs in another interpreter, which needs nothing of nbflow."""
    return [word.upper() for word in words]


@nbflow.activity
@nbflow.execute.program("sleep", timeout=0.2)
def nap(seconds: int) -> str:
    """The program and all that it starts is ended once it takes too long."""


@nbflow.activity
def write(lines: list[str]) -> str:
    import tempfile

    with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as file:
        file.write("\n".join(lines) + "\n")
    return file.name


@nbflow.activity
def remove(file: str) -> None:
    from pathlib import Path

    Path(file).unlink()


@nbflow.workflow
def words(lines: list[str]) -> list[object]:
    file = write(lines)
    up, down = sort(file), sort(file, r=True)
    found = [shout(up.result().split()).result(), down.result().split()]
    missing = sort("/nowhere/at-all.txt").exception()
    late = nap(60).exception()
    remove(file).result()
    return [*found, f"exit code {missing.code}", type(late).__name__]


def main() -> None:
    nbflow.configure(store=":memory:", output="log")  # what sort complains of is kept there
    for line in words(["pear", "apple", "fig"]).result():
        print(line)


if __name__ == "__main__":
    main()
