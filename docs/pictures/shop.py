"""The activities of the documentation's sample runs: each takes as long whenever it is run."""

import logging
import time

import nbflow

ORDERS = {"Lisbon": 412, "Oslo": 268, "Nairobi": 530, "Quito": 147, "Seoul": 689, "Perth": 322}
SECONDS = {"Lisbon": 0.7, "Oslo": 0.5, "Nairobi": 1.0, "Quito": 0.4, "Seoul": 1.5, "Perth": 0.8}
log = logging.getLogger("shop")


@nbflow.activity(retry=nbflow.Retry(attempts=3, wait=0.4))
def fetch(city: str) -> dict:
    """Read the orders of one city."""
    print(f"reading the orders of {city}")
    time.sleep(SECONDS[city])
    if city == "Oslo" and nbflow.context().attempt == 1:
        log.warning("connection to %s lost", city)
        raise ConnectionResetError(f"{city} closed the connection")
    print(f"{ORDERS[city]} orders of {city}")
    return {"city": city, "orders": ORDERS[city]}


@nbflow.activity
def clean(rows: dict, strict: bool = False) -> dict:
    """Leave out orders without a date."""
    time.sleep(0.4 * SECONDS[rows["city"]])
    undated = rows["orders"] // 100
    if strict and rows["city"] == "Quito":
        raise ValueError(f"{undated} of {rows['orders']} orders of Quito have no date")
    log.info("%s: left out %d orders without a date", rows["city"], undated)
    return {**rows, "orders": rows["orders"] - undated}


@nbflow.activity
def forecast(rows: dict, days: int) -> dict:
    """Foretell how many orders there will be."""
    time.sleep(0.9 * SECONDS[rows["city"]])
    return {"city": rows["city"], "expected": rows["orders"] * days // 7}


@nbflow.activity
def merge(forecasts: list) -> dict:
    """Put the forecasts together."""
    time.sleep(0.5)
    return {each["city"]: each["expected"] for each in forecasts}


@nbflow.activity
def publish(table: dict) -> dict:
    """Write the table down."""
    time.sleep(0.3)
    print(f"published {len(table)} forecasts")
    return table


@nbflow.activity(raises_on_failure=False)
def load(number: int) -> int:
    """Load one file of very many."""
    time.sleep(0.012)
    if number in {107, 211, 280}:
        raise ValueError(f"file {number} is empty")
    return number


@nbflow.activity
def count(number: int | None) -> int:
    """Count what is in it; nothing, if it could not be loaded."""
    time.sleep(0.006)
    return (number or 0) % 97


@nbflow.activity
def rank(number: int) -> int:
    """Put it in its place."""
    time.sleep(0.004)
    return number


@nbflow.activity
def summary(numbers: list) -> int:
    """Add all up."""
    return sum(numbers)
