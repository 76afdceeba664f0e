"""Equal calls as one call, and calls with ids of their own.

Run it by ``python examples/idempotent.py``.
"""

import nbflow


@nbflow.activity(idempotent=True)
def rate(currency: str, day: str = "today") -> float:
    """The same arguments, given whichever way, are the same call of a run."""
    return {"eur": 1.0, "usd": 1.08}[currency]


@nbflow.activity
def convert(amount: float, by: float) -> float:
    return round(amount * by, 2)


@nbflow.workflow
def bill(amounts: list[float]) -> list[float]:
    """As many conversions as amounts, but one rate."""
    return [convert(amount, rate("usd")) for amount in amounts]


@nbflow.workflow
def named() -> list[object]:
    """An id says what a call is for, and can be found by it."""
    first = rate("eur")
    second = rate(day="today", currency="eur")
    paid = convert.submit(100, first, call_id="deposit-of-may")
    return [first.call == second.call, paid.call, paid]


def main() -> None:
    nbflow.configure(store=":memory:")
    run = bill([10, 20, 30, 40, 50])
    print("bills:", run.result())
    rates = [call for call in run.calls if call.startswith("rate")]
    print("calls:", len(run.calls), "of them rates:", len(rates))
    print("named:", named().result())


if __name__ == "__main__":
    main()
