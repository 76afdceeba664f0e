"""A first workflow: how far does the temperature swing in a day, in two cities, by season?

Four activities, thirteen calls. It reads tables that come with vega_datasets, needs no network, and
prints the answer, the graph of the calls and where the time went::

    python examples/demo.py
    python examples/demo.py --on threads --html demo.html
"""

import argparse
from pathlib import Path

import pandas as pd
from vega_datasets import data

import nbflow

TABLES = {"Seattle": data.seattle_temps, "San Francisco": data.sf_temps}
SEASONS = {"winter": (12, 1, 2), "spring": (3, 4, 5), "summer": (6, 7, 8), "autumn": (9, 10, 11)}


@nbflow.activity
def load(city: str) -> pd.DataFrame:
    """Read a year of hourly temperatures, in degrees Fahrenheit."""
    return TABLES[city]()


@nbflow.activity
def daily(city: str, hours: pd.DataFrame) -> pd.DataFrame:
    """Give the swing of each whole day, in degrees Celsius."""
    celsius = hours.set_index("date")["temp"].sub(32).div(1.8)
    days = celsius.resample("D").agg(["min", "max", "count"])
    whole = days[days["count"] == 24]
    return pd.DataFrame({"city": city, "swing": whole["max"] - whole["min"]})


@nbflow.activity(retry=1, timeout=120)
def typical(days: pd.DataFrame, season: str, draws: int) -> dict:
    """Give a season's mean swing with its 90 % interval, by drawing the days again and again."""
    swing = days["swing"][days.index.month.isin(SEASONS[season])]
    means = pd.Series([swing.sample(frac=1, replace=True).mean() for _ in range(draws)])
    return {
        "city": days["city"].iloc[0],
        "season": season,
        "mean": swing.mean(),
        "low": means.quantile(0.05),
        "high": means.quantile(0.95),
    }


@nbflow.activity
def table(rows: list[dict]) -> pd.DataFrame:
    """Put the seasons side by side."""
    frame = pd.DataFrame(rows)
    frame["swing"] = [f"{r.mean:.1f} °C ({r.low:.1f} to {r.high:.1f})" for r in frame.itertuples()]
    return frame.pivot_table("swing", "season", "city", aggfunc="first").loc[list(SEASONS)]


@nbflow.workflow
def swings(cities: list[str], draws: int = 4000) -> pd.DataFrame:
    """Compare cities: two calls a city, then one a city and season, then one for all."""
    days = [daily(city, load(city)) for city in cities]
    return table([typical(one, season, draws) for one in days for season in SEASONS])


def slowest(run: nbflow.Run) -> str:
    """Say in one line where the time went."""
    activities = run.profile.by_activity()
    first, total = activities[0], sum(a.total for a in activities)
    return (
        f"{first.activity} took {first.total / total:.0%} of the work: "
        f"{first.calls} calls, {first.total:.1f} s in all, the longest {first.longest:.2f} s."
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--on", choices=["threads", "processes"], default="processes")
    parser.add_argument("--draws", type=int, default=4000, help="how long it takes")
    parser.add_argument("--store", default=":memory:", help="directory to keep the run's log in")
    parser.add_argument("--html", type=Path, help="write the report of the run into this file")
    options = parser.parse_args(arguments)

    nbflow.configure(on=options.on, store=options.store)
    run = swings(list(TABLES), options.draws)
    print(f"{run.id} runs on {options.on} ...\n")
    print(f"{run.result().to_string()}\n")
    print(f"{run.graph.text()}\n")
    print(f"{run.profile.text()}\n")
    print(slowest(run))
    if options.html:
        run.report(options.html)
        print(f"The report is in {options.html.resolve().as_uri()}")
    if options.store != ":memory:":
        print(f"The log is in {options.store}: nbflow.attach({run.id!r}) finds it again.")


if __name__ == "__main__":
    main()
