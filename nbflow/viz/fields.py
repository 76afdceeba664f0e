"""The fields of a form: a widget for each parameter, what is in it, and what is wrong with that."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import ipywidgets

from nbflow.viz.kinds import ANY, Kind, kind_of, literal, shown
from nbflow.viz.wording import clean, cut

_LEAVE: Final = object()
_CHOOSE: Final = "choose…"
_EMPTY: Final = inspect.Parameter.empty
_WIDTH: Final = "24em"
_PICKERS: Final[dict[str, Any]] = {
    "date": ipywidgets.DatePicker,
    "datetime": ipywidgets.NaiveDatetimePicker,
    "aware": ipywidgets.DatetimePicker,
    "time": ipywidgets.TimePicker,
}


class Missing(ValueError):
    """Nothing is written where something has to be."""


class Field:
    """One parameter in a form.

    Attributes:
        parameter: What it is for.
        kind: How its values are written.
        widget: Where they are written. Texts and choices have a text as their value, a collection
            of choices a tuple of texts, a checkbox a bool, the others a date or a time.
        row: The widget, and beside it what is wrong.
    """

    def __init__(self, parameter: inspect.Parameter, annotation: Any = _EMPTY) -> None:
        self.parameter = parameter
        self.kind = _kind(parameter, annotation)
        self.widget = _widget(parameter, self.kind, self.required)
        self._said = ipywidgets.Label(layout=ipywidgets.Layout(width="auto"))
        self._said.add_class("nbf-form-error")
        parts = [self.widget, self._said]
        if self.kind.help:
            parts.append(ipywidgets.Label(clean(self.kind.help)))
        self.row = ipywidgets.HBox(parts, layout=ipywidgets.Layout(flex_flow="row wrap"))

    @property
    def required(self) -> bool:
        """Whether something has to be written."""
        parameter = self.parameter
        several = parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
        return parameter.default is _EMPTY and not several and not self.kind.optional

    @property
    def error(self) -> str:
        """What is said beside it; "" if it is right or has not been touched."""
        return str(self._said.value)

    def value(self) -> Any:
        """Give what is written in it.

        Raises:
            Missing: Nothing, and that will not do.
            ValueError: Something wrong; the message says what.
        """
        found = self._read()
        if found is not _LEAVE:
            return found
        if self.parameter.kind is self.parameter.VAR_POSITIONAL:
            return ()
        if self.parameter.kind is self.parameter.VAR_KEYWORD:
            return {}
        if self.kind.optional:
            return None
        if self.parameter.default is _EMPTY:
            message = "it has to be filled in"
            raise Missing(message)
        return self.parameter.default

    def _read(self) -> Any:
        given = self.widget.value
        if given is None or (isinstance(given, str) and not given.strip()):
            # An empty text is one where there was a text before, and nothing everywhere else.
            empty = given == "" and isinstance(self.parameter.default, str) and self._is_text()
            return "" if empty else _LEAVE
        if isinstance(given, str):
            return self.kind.read(given)
        if isinstance(given, tuple):  # of several choices
            untouched = not given and self.parameter.default is _EMPTY
            return _LEAVE if untouched else self.kind.take(list(given))
        return self.kind.take(given)

    def _is_text(self) -> bool:
        return self.kind.name == "text" and not self.kind.optional

    def check(self) -> str:
        """Say beside it what is wrong, and give that."""
        try:
            self.value()
        except ValueError as error:
            self._said.value = f"✗ {clean(str(error))}"
        else:
            self._said.value = ""
        return self.error

    def describe(self) -> str:
        """Write it on one line, for where there are no widgets."""
        default = self.parameter.default
        end = " *" if self.required else "" if default is _EMPTY else f" = {_default(default)}"
        return f"{_title(self.parameter)}: {self.kind.name}{end}"


def _kind(parameter: inspect.Parameter, annotation: Any) -> Kind:
    if parameter.kind is parameter.VAR_POSITIONAL:
        return kind_of(tuple if annotation is _EMPTY else tuple[annotation, ...])
    kind = kind_of(annotation, parameter.default)
    if parameter.kind is parameter.VAR_KEYWORD:
        return Kind("more arguments, such as {'name': 1}", _named(kind), _named(kind))
    return replace(kind, optional=True) if parameter.default is None else kind


def _named(kind: Kind) -> Callable[[Any], dict[str, Any]]:
    def read(given: Any) -> dict[str, Any]:
        found = literal(given) if isinstance(given, str) else given
        if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
            message = "write names and values as in {'name': 1}"
            raise ValueError(message)
        return {key: kind.take(value) for key, value in found.items()}

    return read


# ---------------------------------------------------------------- the widgets


def _title(parameter: inspect.Parameter) -> str:
    several, named = parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD
    stars = "*" if parameter.kind is several else "**" if parameter.kind is named else ""
    return stars + clean(parameter.name, 60)


def _widget(parameter: inspect.Parameter, kind: Kind, required: bool) -> Any:  # noqa: FBT001 - one caller
    common: dict[str, Any] = {
        "description": _title(parameter) + (" *" if required else ""),
        "tooltip": kind.name,
        "style": {"description_width": "10em"},
        "layout": ipywidgets.Layout(width=f"calc({_WIDTH} + 10em)"),
    }
    default = parameter.default
    if isinstance(default, bool) and set(kind.choices) == {"True", "False"}:
        return ipywidgets.Checkbox(value=default, indent=True, **common)
    if kind.choices:
        return _chooser(kind, default, required, common)
    if kind.control in _PICKERS:
        fits = default is not _EMPTY and default is not None
        return _PICKERS[kind.control](value=default if fits else None, **common)
    area = kind.control == "area"
    made = ipywidgets.Textarea if area else ipywidgets.Text
    text = _written(default, kind)
    none = default is _EMPTY or default is None
    hint = kind.name if none else f"default: {_default(default)}"
    return made(value=text, placeholder=hint, **common)


def _chooser(kind: Kind, default: Any, required: bool, common: dict[str, Any]) -> Any:  # noqa: FBT001
    labels = list(kind.choices)
    chosen = [k for k, v in kind.choices.items() if _one_of(v, default, kind)]
    if kind.control == "many":
        return ipywidgets.SelectMultiple(options=labels, value=chosen, **common)
    none = [("None", "")] if kind.optional else [(_CHOOSE, "")] if required else []
    options = [*none, *((clean(label, 60), label) for label in labels)]
    return ipywidgets.Dropdown(options=options, value=chosen[0] if chosen else "", **common)


def _one_of(value: Any, default: Any, kind: Kind) -> bool:
    several = isinstance(default, list | tuple | set | frozenset) and kind.control == "many"
    return any(
        type(value) is type(each) and value == each for each in (default if several else [default])
    )


def _written(default: Any, kind: Kind) -> str:
    """Write a default so that it is read as itself, "" if that cannot be."""
    if default is _EMPTY or default is None:
        return ""
    for text in _spellings(default, kind):
        try:
            again = kind.read(text)
        except ValueError:
            continue
        if type(again) is type(default) and again == default:
            return text
    return ""


def _spellings(default: Any, kind: Kind) -> list[str]:
    if isinstance(default, str):
        return [default, shown(default)]
    plain = shown(default)
    if kind is not ANY and isinstance(default, list | tuple) and default:
        items = [each if isinstance(each, str) else shown(each) for each in default]
        return [", ".join(items), plain] if all(items) else [plain]
    if type(default).__module__ in {"decimal", "uuid", "pathlib", "datetime"}:
        return [str(default)]
    return [plain] if plain else []


def _default(default: Any) -> str:
    """Write a default for people; of what is no literal only its class is told."""
    text = shown(default)
    return clean(cut(text, 40)) if text else f"<{clean(type(default).__name__, 40)}>"


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a form asks its workflow to be called with."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def arguments(fields: list[Field]) -> Arguments:
    """Read all fields.

    Raises:
        ValueError: One of them is wrong; the message names it.
    """
    values = {field.parameter.name: _value_of(field) for field in fields}
    several = any(
        f.parameter.kind is f.parameter.VAR_POSITIONAL and values[f.parameter.name] for f in fields
    )
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for field in fields:
        parameter = field.parameter
        value = values[parameter.name]
        if parameter.kind is parameter.VAR_POSITIONAL:
            args += value
        elif parameter.kind is parameter.VAR_KEYWORD:
            _no_twice(value, values, fields)
            kwargs |= value
        elif parameter.kind is parameter.POSITIONAL_ONLY or (
            several and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        ):
            args.append(value)
        else:
            kwargs[parameter.name] = value
    return Arguments(tuple(args), kwargs)


def _value_of(field: Field) -> Any:
    try:
        return field.value()
    except ValueError as error:
        message = f"{field.parameter.name}: {error}"
        raise type(error)(message) from None


def _no_twice(more: dict[str, Any], values: dict[str, Any], fields: list[Field]) -> None:
    only = {
        f.parameter.name for f in fields if f.parameter.kind is inspect.Parameter.POSITIONAL_ONLY
    }
    twice = [name for name in more if name in values and name not in only]
    if twice:
        message = f"{', '.join(twice)}: there is a field for it"
        raise ValueError(message)
