"""The contracts as plain functions, for authors who use no test runner."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from nbflow.engine.executor import Executor
from nbflow.services.base import Service
from nbflow.store.base import Store
from nbflow.testing.executors import ExecutorContract
from nbflow.testing.services import ServiceContract
from nbflow.testing.stores import StoreContract


class ContractBroken(ExceptionGroup[Exception]):
    """Rules of a contract are broken: an error for each, with the rule as a note."""

    def derive(self, excs: Sequence[Exception], /) -> ContractBroken:  # type: ignore[override]
        """Make one of some of its errors, as `ExceptionGroup.split` needs it."""
        return ContractBroken(self.message, excs)


def check_executor(
    make: Callable[[], Executor],
    *,
    unmake: Callable[[Executor], object] | None = None,
    many: int = ExecutorContract.many,
    makes_room: bool = True,
    owns_workers: bool = True,
    only: str | None = None,
) -> list[str]:
    """Hold an executor against what every executor has to do.

    Args:
        make: Makes an executor; called once a rule.
        unmake: Ends it; by default its `close` is called.
        many: See `ExecutorContract`.
        makes_room: See `ExecutorContract`.
        owns_workers: See `ExecutorContract`.
        only: Check the rule of that name alone, as an error's note has it.

    Returns:
        The names of the rules that were checked.

    Raises:
        ContractBroken: It breaks some. All are checked before.
        ValueError: There is no rule of that name.

    Example:
        >>> len(check_executor(lambda: MyExecutor(max_workers=2)))
        25
    """
    attributes: dict[str, Any] = {
        "make": lambda _: make(),
        "many": many,
        "makes_room": makes_room,
        "owns_workers": owns_workers,
    }
    if unmake is not None:
        attributes["unmake"] = lambda _, executor: unmake(executor)
    return _check(ExecutorContract, attributes, "executor", only)


def check_store(
    make: Callable[[], Store],
    *,
    reopen: Callable[[Store], Store] | None = None,
    only: str | None = None,
) -> list[str]:
    """Hold a store against what every store has to do.

    Args:
        make: Makes an empty store; called once a rule.
        reopen: Gives a store as another process would find it; by default as it is.
        only: Check the rule of that name alone, as an error's note has it.

    Returns:
        The names of the rules that were checked.

    Raises:
        ContractBroken: It breaks some. All are checked before.
        ValueError: There is no rule of that name.

    Example:
        >>> check_store(lambda: MyStore(tempfile.mkdtemp()), only="a run is created once")
        ['a run is created once']
    """
    attributes: dict[str, Any] = {"make": lambda _: make()}
    if reopen is not None:
        attributes["reopen"] = lambda _, store: reopen(store)
    return _check(StoreContract, attributes, "store", only)


def check_service(
    make: Callable[[], Service],
    *,
    unmake: Callable[[Service], object] | None = None,
    patience: float = ServiceContract.patience,
    only: str | None = None,
) -> list[str]:
    """Hold a service against what every service has to do.

    Args:
        make: Makes a service, with what decides and works for it; called once a rule.
        unmake: Ends it; by default its `close` is called.
        patience: See `ServiceContract`.
        only: Check the rule of that name alone, as an error's note has it.

    Returns:
        The names of the rules that were checked.

    Raises:
        ContractBroken: It breaks some. All are checked before.
        ValueError: There is no rule of that name.

    Example:
        >>> check_service(lambda: MyService(tempfile.mkdtemp()), only="a run is cancelled")
        ['a run is cancelled']
    """
    attributes: dict[str, Any] = {"make": lambda _: make(), "patience": patience}
    if unmake is not None:
        attributes["unmake"] = lambda _, service: unmake(service)
    return _check(ServiceContract, attributes, "service", only)


def _check(
    contract: type[Any], attributes: dict[str, Any], what: str, only: str | None
) -> list[str]:
    """Check the rules of a contract one after the other, whatever becomes of those before."""
    rules = {_rule(name): name for name in dir(contract) if name.startswith("test_")}
    if only is not None and only not in rules:
        _unknown(only, rules)
    names = list(rules) if only is None else [only]
    kind = type("Contract", (contract,), attributes)
    broken: list[Exception] = []
    for rule in names:
        try:
            _run(kind(), rules[rule])
        except Exception as error:  # noqa: BLE001 - whatever the author's code raises
            error.add_note(f"rule: {rule}. {_says(contract, rules[rule])}")
            broken.append(error)
    if broken:
        message = f"the contract of the {what} is broken: {len(broken)} of {len(names)} rules"
        raise ContractBroken(message, broken)
    return names


def _run(case: Any, test: str) -> None:
    case.setup_method()
    try:
        getattr(case, test)()
    finally:
        case.teardown_method()


def _rule(test: str) -> str:
    return test.removeprefix("test_").replace("_", " ")


def _says(contract: type[Any], test: str) -> str:
    doc: str = inspect.getdoc(getattr(contract, test)) or ""
    return doc.splitlines()[0]


def _unknown(only: str, rules: dict[str, str]) -> NoReturn:
    message = f"no rule {only!r}: there are {', '.join(sorted(rules))}"
    raise ValueError(message)
