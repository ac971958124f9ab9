"""Every Python block of the README and the documentation runs: a page's in order, in one namespace."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import rlvr
from tests.docs import given
from tests.docs.fences import Fence, in_languages, stood_in

BLOCKS = in_languages("python")

ONLY_PARSED = {
    ("docs/openrlhf.md", "AgentExecutor = rlvr.openrlhf.agent_executor(deadline_s=120.0)"):
        "OpenRLHF has an environment of its own, where tests/adapters/openrlhf runs the same lines",
    ("docs/mcp.md", 'files = rlvr.tools.Mcp(["python", "server.py"], env={"SHOP": "open"})'):
        "the client has an environment of its own, where tests/envs/mcp runs such lines",
}  # fmt: skip
"""Blocks, each by a line in it, whose names are looked up and that aren't run, and why."""


def is_only_parsed(fence: Fence) -> bool:
    return any(page == fence.page and line in fence.text for page, line in ONLY_PARSED)


@pytest.mark.sweep(gate=7)
@pytest.mark.parametrize("page", BLOCKS)
@pytest.mark.usefixtures("own_registry")
def test_blocks(page: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    if page in given.MODEL_NEEDED:
        pytest.importorskip("trl")
        request.getfixturevalue("workplace")
    else:
        request.getfixturevalue("data")
        request.getfixturevalue("monkeypatch").chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": f"page_{re.sub('[^a-z]', '_', page)}"}
    namespace |= given.names(page, tmp_path)
    for fence in BLOCKS[page]:
        source = stood_in(fence.text, given.PYTHON.get(page, []))
        tree = compile("\n" * (fence.line - 1) + source, page, "exec", ast.PyCF_ONLY_AST)
        if is_only_parsed(fence):
            look_up(tree)
            continue
        trainer = namespace.get("trainer")
        exec(compile(tree, page, "exec"), namespace)
        made = namespace.get("trainer")
        if made is not None and made is not trainer and ".train()" not in source:
            made.train()  # as whoever wrote the lines would next
            assert made.state.global_step == 1


def look_up(tree: ast.AST) -> None:
    """Each `rlvr.…` there is, and each call of one takes the arguments."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node).startswith("rlvr."):
            resolved(ast.unparse(node))
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("rlvr."):
            signature = inspect.signature(resolved(ast.unparse(node.func)))
            signature.bind(
                *node.args, **{word.arg: word.value for word in node.keywords if word.arg}
            )


def resolved(dotted: str) -> Any:
    found: Any = rlvr
    for name in dotted.split(".")[1:]:
        found = getattr(found, name)
    return found


def test_tables_are_of_blocks_that_are_there() -> None:
    for page, line in ONLY_PARSED:
        assert any(line in fence.text for fence in BLOCKS[page]), (page, line)
    for page, stand_ins in given.PYTHON.items():
        for seen, _ in stand_ins:
            assert any(seen in fence.text for fence in BLOCKS[page]), (page, seen)
    for page, names in given.GIVEN.items():
        text = "\n".join(fence.text for fence in BLOCKS[page])
        for name in names:
            assert re.search(rf"\b{name}\b", text), (page, name)
            assert not re.search(rf"^(from .* )?import .*\b{name}\b", text.split(name)[0]), name


@pytest.mark.parametrize(
    "source", ["rlvr.openrlhf.agent_executer()", "rlvr.openrlhf.agent_executor(deadline=1)"]
)
def test_a_wrong_name_fails(source: str) -> None:
    with pytest.raises((AttributeError, TypeError)):
        look_up(ast.parse(source))


def test_the_executors_lines_are_the_recipes() -> None:
    """What is only parsed here is what OpenRLHF's own tests run."""
    recipe = Path(given.__file__).parents[2] / "recipes/openrlhf/agent.py"
    (line,) = [line for page, line in ONLY_PARSED if page == "docs/openrlhf.md"]
    assert line.partition("(")[0] in recipe.read_text(encoding="utf-8")
