"""When an attempt fails: how often, how soon and after which errors there is another.

Run it by ``python examples/retries.py``.
"""

import nbflow


@nbflow.activity(retry=nbflow.Retry(attempts=4, wait=0.01, on=(ConnectionError,)))
def fetch(region: str) -> str:
    """The network is bad: the first two attempts fail."""
    attempt = nbflow.context().attempt
    if attempt < 3:
        message = f"attempt {attempt}: {region} is away"
        raise ConnectionError(message)
    return f"{region} at attempt {attempt}"


@nbflow.activity(retry=2)
def parse(text: str) -> int:
    """A bug is not mended by a retry; after the last attempt its error comes up."""
    return int(text)


def patient(error: BaseException, attempt: int) -> float | None:
    """Decide by the error: seconds to wait, or None to give up."""
    return 0.01 if isinstance(error, TimeoutError) and attempt < 3 else None


@nbflow.activity(retry=patient, raises_on_failure=False)
def survey(place: str) -> int:
    """With raises_on_failure=False what fails at last is None, and fails nothing else."""
    message = f"{place} does not answer"
    raise TimeoutError(message)


@nbflow.workflow
def collect(regions: list[str]) -> list[object]:
    found: list[object] = [fetch(region) for region in regions]
    wrong = parse.options(retry=nbflow.Retry(attempts=2, wait=0))("seven")
    answers = survey("moon")
    return [*found, str(wrong.exception()), answers.result(), str(answers.exception())]


def main() -> None:
    nbflow.configure(store=":memory:")
    run = collect(["eu", "us"])
    for line in run.result():
        print(line)
    print("attempts:", {call: run.calls[call].attempt for call in sorted(run.calls)})


if __name__ == "__main__":
    main()
