"""Forms: a workflow's parameters as input fields, with a button that starts a run."""

from __future__ import annotations

import contextvars
import inspect
import logging
import secrets
import sys
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

import ipywidgets

from nbflow.core.errors import NbflowError
from nbflow.core.workflow import Definition
from nbflow.viz.fields import Arguments, Field, Missing, arguments
from nbflow.viz.show import unattended
from nbflow.viz.summary import static_bundle
from nbflow.viz.wording import clean

if TYPE_CHECKING:
    from nbflow.running.run import Run

_log = logging.getLogger("nbflow")

WIDGET: Final = "application/vnd.jupyter.widget-view+json"
_HELP_LINES: Final = 20
_STYLE: Final = """<style data-nbflow-form="{token}">
.jp-OutputArea-child:has([data-nbflow-form="{token}"]),
.jp-OutputArea-child:has([data-nbflow-form="{token}"])
  + .jp-OutputArea-child:not(:has(.nbf-form-{token})),
.jp-OutputArea-child:has(.nbf-form-{token}) + .jp-OutputArea-child {{ display: none }}
.nbf-form-{token} .nbf-form-error {{ color: var(--jp-error-color1, #b3261e) }}
.nbf-form-{token} .widget-label {{ white-space: pre-wrap; height: auto }}
.nbf-form-{token} > .widget-label {{ line-height: 1.5 }}
.nbf-form-{token} > .widget-label:first-child {{ font-size: 15px; font-weight: 600 }}
.jp-OutputArea-child:has([data-nbflow-form="{token}"])
  + .jp-OutputArea-child + .jp-OutputArea-child img {{ max-width: 100%; height: auto }}
</style>"""
"""Hides itself; the form's place while there is none; what is saved for later while there is."""


class Form:
    """Fields for a workflow's parameters, and a button that starts runs of it.

    What is wrong with a field is said beside it, and while anything is, nothing can be started.
    The panel of each run comes below. A second run can be started while the first one goes on.

    Args:
        definition: The workflow.
        hints: The resolved annotations of its parameters.
        start: Starts a run with arguments, and gives its handle.

    Attributes:
        fields: By parameter; ``form.fields["rate"].widget.value = "1.1"`` fills one in.
        history: The runs it has started, the latest last.
        widget: All of it, to be put into other widgets.

    Example:
        >>> form = revenue.form()
        >>> form  # at the end of a cell: shows it
        >>> form.run.result()
    """

    def __init__(
        self,
        definition: Definition,
        hints: dict[str, Any],
        start: Callable[[Arguments], Run[Any]],
    ) -> None:
        parameters = definition.signature.parameters
        self.fields: dict[str, Field] = {
            name: Field(p, hints.get(name, _unresolved(p.annotation)))
            for name, p in parameters.items()
        }
        self.history: list[Run[Any]] = []
        self._definition = definition
        self._start = start
        self._token = secrets.token_hex(6)
        self._lock = threading.Lock()
        self._saved: Any = None
        self._shown: list[tuple[Run[Any], Any]] = []
        self._panels = ipywidgets.VBox()
        self._said = ipywidgets.Label(layout=ipywidgets.Layout(width="auto"))
        self._button = ipywidgets.Button(
            description="Run", icon="play", button_style="primary", tooltip="start a run"
        )
        self._button.on_click(self._pressed)
        for field in self.fields.values():
            self._listen(field)
        self.widget = self._laid_out()
        self._review()

    # ------------------------------------------------------------ what code asks it

    @property
    def run(self) -> Run[Any] | None:
        """The run that it has started last; None before the first."""
        return self.history[-1] if self.history else None

    @property
    def values(self) -> dict[str, Any]:
        """What is filled in, by parameter.

        Raises:
            ValueError: A field is wrong; the message names it.
        """
        self._arguments()
        return {name: field.value() for name, field in self.fields.items()}

    def start(self) -> Run[Any]:
        """Start a run with what is filled in, as the Run button does, and give its handle.

        Raises:
            ValueError: A field is wrong; the message names it. Nothing is started.
            NbflowError: The run cannot be started.
        """
        given = self._arguments()
        with self._lock:
            run = self._start(given)
            self.history.append(run)
        self._say(f"run {run.id} is started")
        self._show(run)
        return run

    def _arguments(self) -> Arguments:
        return arguments(list(self.fields.values()))

    # ------------------------------------------------------------ what people do with it

    def _listen(self, field: Field) -> None:
        def changed(_: object) -> None:
            field.check()
            self._review()

        def told(_: object, content: object, __: object = None) -> None:
            if isinstance(content, dict) and content.get("event") == "submit":
                self._pressed()

        field.widget.observe(changed, "value")
        if isinstance(field.widget, ipywidgets.Text):
            field.widget.on_msg(told)  # Enter

    def _review(self) -> None:
        """See whether a run can be started, and say what is missing."""
        try:
            given = self._arguments()
            self._definition.check(given.args, given.kwargs)
        except (ValueError, TypeError) as error:
            self._button.disabled = True
            self._say(self._wanted() or str(error))
        else:
            self._button.disabled = False
            self._say("")

    def _wanted(self) -> str:
        """Name the fields that still have to be filled in; "" if all are."""
        names = []
        for name, field in self.fields.items():
            try:
                field.value()
            except Missing:
                names.append(name)
            except ValueError:
                continue
        return f"to be filled in: {', '.join(names)}" if names else ""

    def _pressed(self, _: object = None) -> None:
        for field in self.fields.values():
            field.check()
        self._review()
        if self._button.disabled:
            return
        try:
            self.start()
        except (NbflowError, TypeError, ValueError) as error:
            self._say(f"✗ not started: {error}")
        except Exception as error:  # noqa: BLE001 - nobody reads what a callback raises
            _log.exception("a run could not be started from a form")
            self._say(f"✗ not started: {type(error).__name__}: {error}")

    def _say(self, text: str) -> None:
        self._said.value = clean(" ".join(text.split()), 500)

    # ------------------------------------------------------------ what is seen

    def _laid_out(self) -> Any:
        head = [
            ipywidgets.Label(line, layout=ipywidgets.Layout(width="auto")) for line in self._head()
        ]
        rows = [field.row for field in self.fields.values()]
        foot = ipywidgets.HBox([self._button, self._said])
        made = ipywidgets.VBox([*head, *rows, foot, self._panels])
        made.add_class(f"nbf-form-{self._token}")
        return made

    def _head(self) -> Iterable[str]:
        yield clean(self._definition.name, 120)
        lines = _help(self._definition.doc)
        yield from lines[:_HELP_LINES]
        if len(lines) > _HELP_LINES:
            yield "…"
        if any(field.required for field in self.fields.values()):
            yield "* has to be filled in"

    def _show(self, run: Run[Any]) -> None:
        """Put the panel of a new run on top; those of runs that are over make room."""
        place = ipywidgets.Output()
        self._shown = [(run, place), *(s for s in self._shown if not s[0].done())]
        self._panels.children = tuple(each for _, each in self._shown)
        if self._saved is None:
            return  # it is not displayed, so there is no page to show a run on
        from IPython.display import display  # noqa: PLC0415 - there is a kernel

        with place:
            display(run)  # type: ignore[no-untyped-call]
        work = contextvars.copy_context().run
        name = f"nbflow form {run.id}"
        threading.Thread(target=work, args=(self._keep, run), name=name, daemon=True).start()

    def _keep(self, run: Run[Any]) -> None:
        """Leave a picture of the latest run in the notebook file."""
        text = f"nbflow run {clean(run.id)}: running when this was saved"
        self._saved.update({"text/plain": text}, raw=True)
        try:
            run.wait()
            bundle: dict[str, Any] = dict(static_bundle(run.events()))
        except Exception:  # noqa: BLE001 - the run itself is well; only its picture is not
            _log.warning("run %s could not be drawn", run.id, exc_info=True)
            return
        if run is self.run:
            self._saved.update(bundle, raw=True)

    def _ipython_display_(self) -> None:
        """Show the form where it can be filled in, and say what it asks for elsewhere."""
        from IPython import get_ipython  # noqa: PLC0415 - whoever displays has it
        from IPython.display import display  # noqa: PLC0415 - as above

        kernel = getattr(get_ipython(), "kernel", None)
        if kernel is None or unattended(kernel):
            sys.stdout.write(self.text() + "\n")
            return
        put: Any = display
        view = {"version_major": 2, "version_minor": 0, "model_id": self.widget.model_id}
        put({"text/html": _STYLE.format(token=self._token), "text/plain": ""}, raw=True)
        put({WIDGET: view, "text/plain": ""}, raw=True)
        self._saved = put({"text/plain": self.text()}, raw=True, display_id=True)

    def text(self) -> str:
        """Write what the form asks for, for where there are no widgets."""
        name = clean(self._definition.name, 120)
        asked = [f"  {field.describe()}" for field in self.fields.values()]
        given = ", ".join(self.fields)
        end = f"Here is no widget to fill in; start a run by {name}({given})"
        return "\n".join([f"form of workflow {name}", *_help(self._definition.doc), *asked, end])

    def __repr__(self) -> str:
        """Give the name of the workflow and how many runs it has started."""
        return f"<form of {clean(self._definition.name, 120)}, {len(self.history)} runs>"


def _help(doc: str) -> list[str]:
    return [clean(line, 200) for line in inspect.cleandoc(doc).splitlines()] if doc else []


def _unresolved(annotation: Any) -> Any:
    """Give an annotation that was not resolved; a text says nothing that could be relied upon."""
    return Any if isinstance(annotation, str) else annotation
