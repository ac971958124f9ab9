"""Each object that `import rlvr` exports has an example in its docstring, and the example runs."""

from __future__ import annotations

import inspect
import sqlite3
import textwrap
import types
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.authoring.audit import probe_registry
from rlvr.core import registry as core_registry
from rlvr.verifiers.instructions import registry as check_registry

NAMES = [
    name
    for name in rlvr.__all__
    if name not in rlvr._MODULES and name != "Verdict"  # an alias has no docstring
]
ONLY_COMPILED = {
    "train": "it trains a model; tests/training runs it",
    "TrainConfig": "its model is on the Hub",
    "Source": "its model is on the Hub",
    "ascore": "it awaits outside a function",
}


def example(name: str) -> str:
    """Return the indented paragraphs of a docstring that stand apart, which are code."""
    paragraphs = (inspect.getdoc(getattr(rlvr, name)) or "").split("\n\n")
    code = [
        p for p in paragraphs if all(line.startswith("    ") for line in p.splitlines() if line)
    ]
    return textwrap.dedent("\n\n".join(code))


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the names that the examples use without making them."""
    monkeypatch.chdir(tmp_path)
    task = rlvr.Task("6 times 7?", "42", id="product", metadata={"prices": {"lamp": 42}})
    exact = rlvr.verifier(mode="whole")(lambda task, answer: answer == task.reference)
    exact.name = "exact"
    database = sqlite3.connect("dogs.sqlite")
    database.executescript("CREATE TABLE dog (name TEXT); INSERT INTO dog VALUES ('Rex');")
    database.close()
    return {
        "rlvr": rlvr,
        "path": tmp_path,
        "task": task,
        "tasks": [task],
        "response": "\\boxed{42}",
        "responses": ["\\boxed{42}"],
        "verifier": rlvr.Math(),
        "exact": exact,
        "anagram": exact,
        "Guess": type("Guess", (rlvr.Episode,), {"reply": lambda self, message: None}),
        "puzzle": lambda rng, level: rlvr.Task(str(rng.integers(1 << 40)), str(level)),
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_example_runs(
    name: str, names: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    code = example(name)
    assert code.strip(), f"rlvr.{name} has no example in its docstring"
    flags = 0x2000 if name in ONLY_COMPILED else 0  # ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    compiled = compile(code, f"<example of rlvr.{name}>", "exec", flags=flags)
    if name not in ONLY_COMPILED:
        try:
            exec(compiled, names | {"__name__": "examples"})
        except rlvr.CannotScore:
            assert name == "CannotScore"
        except rlvr.errors.NoRewardError:
            assert name == "Unscored"
        finally:
            core_registry._specs.pop("anagram", None)
            probe_registry._probes.pop("references-are-short", None)
            added = check_registry._checks.pop("length:at_most_words", None)
            check_registry._added = tuple(c for c in check_registry._added if c is not added)


def test_no_module_is_taken_for_an_example() -> None:
    assert not any(isinstance(getattr(rlvr, name), types.ModuleType) for name in NAMES)
