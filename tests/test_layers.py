"""The rule of the house: an import goes down the list of layers only, and `import rlvr` stays light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import rlvr
from tools.imports import HOUSE, Import, all_imports, imports_of

LAYERS = (
    {"cli"},
    {"training"},
    {"adapters"},
    {"evaluation", "authoring"},
    {"runs", "testing"},
    {"envs"},
    {"partners"},
    {"policies"},
    {"scoring"},
    {"verifiers"},
    {"sandboxes"},
    {"core"},
)
LEVEL = {package: level for level, layer in enumerate(LAYERS) for package in layer}
HEAVY = {
    "docker",
    "torch",
    "trl",
    "transformers",
    "datasets",
    "ray",
    "vllm",
    "matplotlib",
    "tokenizers",
    "accelerate",
    "pyarrow",
    "verl",
    "rensa",
    "reasoning_gym",
    "transfer_queue",
    "openrlhf",
    "deepspeed",
    "mcp",
}


def complaints(imports: list[Import]) -> list[str]:
    wrong = []
    for one in imports:
        home = one.file.partition("/")[0]
        if home not in LEVEL or one.package is None:
            continue
        if one.package == home:
            continue
        if one.package == "":
            if home != "cli":  # the facade is above everything
                wrong.append(f"{one.file}:{one.line} imports the facade rlvr")
        elif one.package not in LEVEL:
            wrong.append(f"{one.file}:{one.line} imports rlvr.{one.package}, which has no layer")
        elif LEVEL[one.package] <= LEVEL[home]:
            wrong.append(f"{one.file}:{one.line} ({home}) imports {one.module}, not below it")
    return wrong


def test_every_package_of_the_house_has_a_layer() -> None:
    packages = {path.parent.name for path in HOUSE.glob("*/__init__.py")}
    assert packages <= set(LEVEL)


def test_imports_go_down_the_house_only() -> None:
    assert complaints(all_imports()) == []


def test_the_rule_sees_an_import_that_goes_up(tmp_path: Path) -> None:
    (tmp_path / "verifiers").mkdir()
    bad = tmp_path / "verifiers" / "bad.py"
    bad.write_text(
        "from rlvr import scoring\n"
        "import rlvr\n"
        "def f():\n    from ..envs.prompt import Prompt\n"
        "from rlvr.core.task import Task\n"
    )
    found = complaints(list(imports_of(bad, tmp_path)))
    assert [line.partition(" ")[0].rpartition(":")[2] for line in found] == ["1", "2", "4"]


def test_adapters_are_imported_by_the_command_line_and_training_alone() -> None:
    users = {one.file.partition("/")[0] for one in all_imports() if one.package == "adapters"}
    assert users <= {"cli", "training", "adapters", "__init__.py"}


def test_trainers_packages_are_imported_when_used() -> None:
    early = [
        f"{one.file}:{one.line} {one.module}"
        for one in all_imports()
        if one.module.partition(".")[0] in HEAVY
        and not one.deferred
        and not one.file.startswith("training/")
    ]
    assert early == []


def test_training_is_imported_when_used() -> None:
    early = [
        f"{one.file}:{one.line}"
        for one in all_imports()
        if one.package == "training" and not one.file.startswith("training/") and not one.deferred
    ]
    assert early == []


@pytest.mark.parametrize(
    "module",
    [
        "rlvr.adapters.trl",
        "rlvr.adapters.verl",
        "rlvr.adapters.openrlhf",
        "rlvr.training.quickstart",
        "rlvr.cli",
    ],
)
def test_a_module_that_trains_imports_no_trainer_before_it_is_used(module: str) -> None:
    assert loaded_after(f"import {module}") & HEAVY == set()


def test_import_rlvr_is_light() -> None:
    heavy = {"sympy", "mpmath", "asyncio", "rich", "click", "multiprocessing", "cloudpickle"}
    assert loaded_after("import rlvr") & (heavy | HEAVY) == set()


def loaded_after(statement: str) -> set[str]:
    """The top-level modules that `statement` adds to what gymnasium loads by itself."""
    code = (
        "import sys, gymnasium\nbefore = set(sys.modules)\n"
        f"{statement}\nprint(*(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_the_facade_exports_what_its_table_says() -> None:
    assert sorted(rlvr.__all__) == sorted([*rlvr._HOME, *rlvr._MODULES])


def test_every_export_is_there_and_lives_where_the_table_says() -> None:
    for name in rlvr.__all__:
        found = getattr(rlvr, name)
        assert found is not None
        if name in rlvr._HOME:
            assert getattr(sys.modules[rlvr._HOME[name]], name) is found


def test_an_unknown_export_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Maths'"):
        rlvr.Maths  # noqa: B018
