"""What a function is, and what it reaches: edits of code count, edits of its looks do not."""

from __future__ import annotations

import importlib
import linecache
import os
import pathlib
import subprocess
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nbflow.core import fingerprint
from nbflow.core.fingerprint import digest, global_chains, imports, normal_form
from nbflow.core.keys import Unkeyable
from nbflow.core.reach import Reached, reach

Cell = Callable[..., Reached]


@pytest.fixture
def cell() -> Iterator[Cell]:
    """Give what the function ``f`` of a cell reaches, in a namespace like a notebook's."""
    names: list[str] = []

    def run(source: str, name: str = "f") -> Reached:
        file = f"<cell {len(names)}>"
        names.append(file)
        text = textwrap.dedent(source)
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        space: dict[str, Any] = {"__name__": "__main__"}
        exec(compile(text, file, "exec"), space)
        fingerprint._forms.clear()  # as in a kernel that has not seen any of it
        return reach(space[name])

    yield run
    for file in names:
        linecache.cache.pop(file, None)


BASE = """
K = 5
def deep(x):
    return x * K
def helper(x, n=2):
    '''Say what.'''
    return deep(x) + n
def f(x):
    return helper(x)
"""


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("# a comment\n" + BASE.replace("n=2):", "n=2):  # here"), id="comment"),
        pytest.param(BASE.replace("Say what.", "Say more."), id="docstring"),
        pytest.param(BASE.replace("    '''Say what.'''\n", ""), id="no-docstring"),
        pytest.param(BASE.replace("return deep(x) + n", "\n\n    return deep( x )+n"), id="blank"),
        pytest.param(BASE.replace("deep(x) + n", "(\n        deep(x,)\n        + n)"), id="format"),
        pytest.param(BASE.replace("    ", "\t"), id="tabs"),
        pytest.param(
            BASE.replace("def f(x):\n    return helper(x)", "def f(x): return helper(x)"),
            id="one-line",
        ),
        pytest.param("UNUSED = 1\ndef unused(): return UNUSED\n" + BASE, id="others"),
    ],
)
def test_looks_do_not_count(cell, source):
    """Comments, docstrings, blank lines, formatting and what is not reached change nothing."""
    assert cell(source) == cell(BASE)
    assert not cell(source).notes


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        pytest.param("x * K", "x + K", {"deep()"}, id="helper-of-a-helper"),
        pytest.param("K = 5", "K = 50", {"K"}, id="global"),
        pytest.param("K = 5", "K = 5.0", {"K"}, id="type-of-a-global"),
        pytest.param("n=2", "n=3", {"default n of helper()"}, id="default"),
        pytest.param("return helper(x)", "return helper(x, 1)", {"f()"}, id="itself"),
    ],
)
def test_what_counts_is_named(cell, old, new, changed):
    """An edit changes the one part that was edited, and the digest of the whole."""
    before, now = cell(BASE), cell(BASE.replace(old, new))
    assert before.digest != now.digest
    assert {n for n in before.parts if before.parts[n].digest != now.parts[n].digest} == changed


def test_decorators_count_by_what_they_make(cell):
    """One that gives the function back as it is changes nothing, whatever its arguments."""
    mark = "def mark(n):\n    return lambda fn: fn\n@mark(1)\ndef f(x): return x\n"
    assert cell(mark) == cell(mark.replace("@mark(1)", "@mark(2)"))
    wrap = mark.replace("lambda fn: fn", "lambda fn: lambda x: fn(x + n)")
    assert cell(wrap).digest != cell(wrap.replace("@mark(1)", "@mark(2)")).digest


def test_names_that_change_places_count(cell):
    """Two helpers that are swapped are the same two functions, and another result."""
    text = "def one(): return 1\ndef two(): return 2\na, b = one, two\ndef f(): return a() - b()\n"
    assert cell(text).digest != cell(text.replace("one, two", "two, one")).digest


REACHED = """
import functools, dataclasses, enum, abc
K = 5
def helper(): return K
def make(n):
    def inner(): return n
    return inner
closed = make(3)
partial = functools.partial(max, 3)
table = {"go": lambda x: x + 1}
@functools.lru_cache
def cached(): return K
@functools.wraps(helper)
def wrapper(): return helper()
class Base:
    RATE = 1.5
    def run(self): return helper()
class Tool(Base):
    @property
    def rate(self): return self.RATE
    @classmethod
    def make(cls): return cls()
    @staticmethod
    def twice(x): return 2 * x
@dataclasses.dataclass
class Point:
    x: int = 4
    def far(self): return self.x > 7
class Colour(enum.Enum):
    RED = 1
    def hot(self): return self is Colour.RED
tool = Tool()
def f():
    return closed, partial, table, cached, wrapper, tool, Point, Colour
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("K = 5", "K = 6", id="global"),
        pytest.param("make(3)", "make(4)", id="closure"),
        pytest.param("return n", "return -n", id="inner"),
        pytest.param("max, 3", "max, 4", id="argument-of-a-partial"),
        pytest.param("(max,", "(min,", id="function-of-a-partial"),
        pytest.param("x + 1", "x + 2", id="lambda-in-a-table"),
        pytest.param("def cached(): return K", "def cached(): return -K", id="lru-cache"),
        pytest.param("def helper(): return K", "def helper(): return -K", id="wrapped"),
        pytest.param("RATE = 1.5", "RATE = 1.6", id="attribute-of-a-base"),
        pytest.param("self): return helper()", "self): return -helper()", id="method-of-a-base"),
        pytest.param("return self.RATE", "return -self.RATE", id="property"),
        pytest.param("return cls()", "return cls", id="classmethod"),
        pytest.param("2 * x", "3 * x", id="staticmethod"),
        pytest.param("x: int = 4", "x: int = 5", id="default-of-a-dataclass"),
        pytest.param("x > 7", "x > 8", id="method-of-a-dataclass"),
        pytest.param("RED = 1", "RED = 2", id="member"),
        pytest.param("self is Colour", "self is not Colour", id="method-of-an-enum"),
        pytest.param("tool = Tool()", "tool = Base()", id="class-of-an-object"),
    ],
)
def test_edits_are_seen_wherever_they_are(cell, old, new):
    """Closures, partials, tables, decorators, classes and their bases are all looked into."""
    assert old in REACHED
    assert cell(REACHED).digest != cell(REACHED.replace(old, new)).digest
    assert cell(REACHED) == cell("# nothing\n" + REACHED)


def test_a_name_that_is_defined_later_counts(cell):
    """A global that is not there yet is another one once it is."""
    text = "def f(): return later()\n"
    assert cell(text).digest != cell(text + "def later(): return 1\n").digest


def test_recursion_ends(cell):
    """Functions and classes that reach each other in a circle are looked at once."""
    found = cell(
        "def f(): return g()\ndef g(): return f(), C\nclass C:\n    def m(self): return C, g\n"
    )
    assert {"f()", "g()", "C", "C.m()"} <= set(found.parts)


def test_what_has_no_value_is_named(cell):
    """A lock among the globals of a helper is an error that gives its name and path."""
    with pytest.raises(Unkeyable) as caught:
        cell(
            "import threading\nBOX = [1, threading.Lock()]\n"
            "def h(): return BOX\ndef f(): return h()\n"
        )
    assert caught.value.path == "BOX[1]"


@pytest.mark.case("U42")
def test_without_source_the_compiled_code_counts_with_a_note():
    """Code of ``exec`` has a digest that tells edits apart, and a note that says so."""

    def made(text: str) -> Reached:
        space: dict[str, Any] = {"__name__": "__main__"}
        exec(compile(text, "<nowhere>", "exec"), space)
        return reach(space["f"])

    one, other = made("def f(): return 1"), made("def f(): return 2")
    assert one.digest != other.digest
    assert one == made("# more\n\ndef f(): return 1")
    assert one.notes == ["f() has no source: its compiled code counts"]


def test_a_cell_of_a_magic_returns_its_last_expression():
    """The source of a ``%%activity`` cell is its code's, though it has no ``return``."""
    import ast

    text = "def f(x):\n    y = x\n    y + 1\n"
    tree = ast.parse(text)
    (function,) = tree.body
    assert isinstance(function, ast.FunctionDef)
    last = function.body[-1]
    assert isinstance(last, ast.Expr)
    function.body[-1] = ast.copy_location(ast.Return(last.value), last)
    linecache.cache["<magic>"] = (len(text), None, text.splitlines(keepends=True), "<magic>")
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(tree, "<magic>", "exec"), space)
    form = normal_form(space["f"].__code__)
    assert form.source
    plain = "def f(x):\n    y = x\n    return y + 1\n"
    linecache.cache["<plain>"] = (len(plain), None, plain.splitlines(keepends=True), "<plain>")
    exec(compile(plain, "<plain>", "exec"), space)
    assert normal_form(space["f"].__code__) == form


# -------------------------------------------------------------------- modules


@pytest.fixture
def module(tmp_path, monkeypatch) -> Iterator[Callable[[str, str], types.ModuleType]]:
    """Give a module of the user's own with that source, imported anew."""
    monkeypatch.syspath_prepend(str(tmp_path))
    made = []

    def load(name: str, source: str) -> types.ModuleType:
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
        made.append(name)
        sys.modules.pop(name, None)
        importlib.invalidate_caches()
        linecache.checkcache()
        return importlib.import_module(name)

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield load
    for name in made:
        sys.modules.pop(name, None)


LIBRARY = "RATE = 1.5\ndef clean(x):\n    return x * RATE\ndef other(x):\n    return x\n"


def test_modules_of_the_user_count_by_what_is_used_of_them(cell, module):
    """An edit of what is used of a module counts, of what is not used it does not."""
    text = "import my_library\ndef f(x): return my_library.clean(x)\n"
    module("my_library", LIBRARY)
    before = cell(text)
    assert {"my_library.clean()", "my_library.RATE"} <= set(before.parts)
    module("my_library", "# more\n" + LIBRARY.replace("return x\n", "return -x\n"))
    assert cell(text) == before
    module("my_library", LIBRARY.replace("x * RATE", "x / RATE"))
    assert cell(text).parts["my_library.clean()"] != before.parts["my_library.clean()"]
    module("my_library", LIBRARY).RATE = 2.5
    assert cell(text).parts["my_library.RATE"].text == "2.5"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "def f(x):\n    from my_library import clean\n    return clean(x)\n", id="from"
        ),
        pytest.param(
            "def f(x):\n    import my_library\n    return my_library.clean(x)\n", id="whole"
        ),
        pytest.param(
            "import my_library\nuse = [my_library]\ndef f(x): return use\n", id="as-a-value"
        ),
        pytest.param(
            "from my_library import clean as c\ndef f(x): return c(x)\n", id="at-the-head"
        ),
    ],
)
def test_modules_count_however_they_are_imported(cell, module, text):
    """An edited module is seen, imported by the function, before it, or used as a value."""
    module("my_library", LIBRARY)
    before = cell(text)
    assert cell(text) == before
    module("my_library", LIBRARY.replace("x * RATE", "x / RATE"))
    assert cell(text).digest != before.digest


def test_a_module_edited_after_its_import_is_not_taken_for_what_runs(cell, module, tmp_path):
    """A function whose file has changed counts by its compiled code; a whole module is refused."""
    used = "import my_library\ndef f(x): return my_library.clean(x)\n"
    whole = "import my_library\nuse = [my_library]\ndef f(x): return use\n"
    module("my_library", LIBRARY.replace("x * RATE", "RATE - x"))
    (tmp_path / "my_library.py").write_text(LIBRARY.replace("x * RATE", "x / RATE"))
    stale = cell(used)
    assert stale.notes == ["my_library.clean() has no source: its compiled code counts"]
    with pytest.raises(Unkeyable, match="edited after it was imported"):
        cell(whole)
    module("my_library", LIBRARY.replace("x * RATE", "x / RATE"))
    assert cell(used).digest != stale.digest
    assert cell(whole).digest


def test_packages_count_by_their_version(cell, monkeypatch):
    """Of what is installed the version counts, and not what is in it."""
    from nbflow.core import origin

    text = "import numpy as np\ndef f(x): return np.zeros(x)\n"
    before = cell(text)
    assert before.parts["numpy"].text == importlib.import_module("numpy").__version__
    versions = {"numpy": "99.0", "python": origin.version("python")}
    monkeypatch.setattr("nbflow.core.reach.version", versions.__getitem__)
    assert cell(text).parts["numpy"].text == "99.0"
    assert cell(text).digest != before.digest


SCRIPT = """
import linecache, sys
from nbflow.core.reach import reach
text = sys.stdin.read()
file = f"<cell {sys.argv[1]}>"
linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
space = {"__name__": "__main__"}
exec(compile(text, file, "exec"), space)
print(reach(space["f"]).digest)
"""


def test_every_process_gives_the_same_digest():
    """Another kernel, with another PYTHONHASHSEED and other file names, finds the same."""
    text = REACHED + "S = {'a', 'b', 'c'}\ndef g(x): return x in {'d', 'e', 'f'}, S\nf.more = g\n"
    root = str(pathlib.Path(__file__).parents[2])
    found = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT, seed],
            input=text,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": root},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(found) == 1


def test_imports_of_long_functions():
    """Code with more constants and names than one byte counts has its imports read, too."""
    lines = [f"    x{n} = y{n} + {n}.5" for n in range(300)]
    text = "\n".join(["def f():", *lines, "    from os import path, sep", "    return z.a.b"])
    space: dict[str, Any] = {}
    exec(text, space)
    assert imports(space["f"].__code__) == [("os", 0, ("path", "sep"))]
    assert ("z", "a", "b") in global_chains(space["f"].__code__)


def test_chains_and_imports_of_code():
    """Attributes read of a global at once follow its name; imports tell module, level and names."""

    def sample(x: Any) -> Any:
        import json.decoder
        from os import path, sep

        return json, path, sep, sys.version_info.major, os.environ[x].upper(), len(x)

    assert set(global_chains(sample.__code__)) == {
        ("sys", "version_info", "major"),
        ("os", "environ"),
        ("len",),
    }
    assert imports(sample.__code__) == [("json.decoder", 0, ()), ("os", 0, ("path", "sep"))]


def test_digests_of_texts_stay_what_they_are() -> None:
    """Results are kept under them; and where one text ends and the next begins counts."""
    assert digest() == "cae66941d9efbd404e4d88758ea67670"
    assert digest("a", "bc") == "f657d58ed59382298356d21c95353a31"
    assert digest("ab", "c") == "d301c71d527a1a9ae0e1e1e5bee135f5"
    assert digest("\u00e9\ud800") == "db7a16526c306a962f5a12379e6e30aa"
