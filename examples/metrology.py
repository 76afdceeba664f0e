"""What activities read and write, measured part by part, and summed up over a run.

Run it by ``python examples/metrology.py``.
"""

import json

import nbflow

PAGES = {"eu": ["paris", "rome", "oslo"], "asia": ["tokyo", "seoul"]}


@nbflow.activity
def copy(region: str) -> int:
    """Count bytes and records where they are read and written."""
    context = nbflow.context()
    rows = []
    with context.step("download") as step:
        for page in PAGES[region]:
            rows.append({"city": page, "letters": len(page)})
            step.read.add(len(page), records=1)
    with context.step("store") as step:
        text = json.dumps(rows)
        step.write.add(len(text), records=len(rows))
    return len(rows)


@nbflow.workflow
def mirror(regions: list[str]) -> list[int]:
    return [copy(region) for region in regions]


def main() -> None:
    nbflow.configure(store=":memory:")
    run = mirror(list(PAGES))
    print("rows:", run.result())
    for part in sorted(run.profile.measures(), key=lambda part: part.name):
        read = f"read {part.read_records} records of {part.read_bytes} bytes"
        wrote = f"wrote {part.wrote_records} records of {part.wrote_bytes} bytes"
        print(f"{part.activity}, {part.name}: {part.times} times, {read}, {wrote}")


if __name__ == "__main__":
    main()
