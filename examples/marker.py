"""What code takes from outside is written down, so that a replay takes the same way.

Run it by ``python examples/marker.py``.
"""

import os

import nbflow


@nbflow.activity
def deploy(bucket: str, batch: str) -> str:
    return f"{batch[:4]}... is in {bucket}"


@nbflow.workflow
def release() -> dict[str, object]:
    """A setting, chance, the time and a change of the code: each has a helper."""
    bucket = nbflow.side_effect(os.environ.get, "BUCKET", "test")
    batch = str(nbflow.uuid4())
    dice = nbflow.random().randint(1, 6)
    checked = nbflow.patched("check first")  # False in runs that were here before this line was
    return {
        "deployed": deploy(bucket, batch).result().endswith(f"is in {bucket}"),
        "bucket": bucket,
        "a die": 1 <= dice <= 6,
        "checked": checked,
        "known": (nbflow.get_event_details("marker", "side_effect-1") or {})["value"],
    }


def main() -> None:
    nbflow.configure(store=":memory:")
    os.environ["BUCKET"] = "pictures"
    run = release()
    found = run.result()
    print("released:", found)
    os.environ["BUCKET"] = "other"  # too late: the run has its value in the log
    check = nbflow.replay(run.id, release)
    print("a replay agrees:", check.ok, "and gives the same:", check.same_result)


if __name__ == "__main__":
    main()
