"""The README's and the documentation's examples run as they stand."""

from __future__ import annotations

import json
import re
import sys
import types
from pathlib import Path

import pytest
from gymnasium.utils.env_checker import check_env

import rlvr
from rlvr.verifiers.kinds import verifier_of_kind

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def example(containing: str) -> str:
    found = [code for code in blocks(ROOT / "README.md", "python") if containing in code]
    assert len(found) == 1
    return found[0]


def test_the_authors_example_is_an_environment(monkeypatch):
    module = types.ModuleType("readme_anagram")
    monkeypatch.setitem(sys.modules, "readme_anagram", module)
    exec(compile(example("anagram"), "README.md", "exec"), module.__dict__)
    env = rlvr.make("anagram")
    check_env(env, skip_render_check=True)
    task = env.tasks[0]
    right, wrong, bare = rlvr.score(
        [task] * 3,
        [f"\\boxed{{{task.reference}}}", "\\boxed{zzz}", task.reference],
        env.verifier,
    )
    assert (right.reward, wrong.reward, bare.reward) == (1.0, 0.05, 0.0)


def test_the_several_turns_example():
    (code,) = [code for code in blocks(ROOT / "docs/authors.md", "python") if "Guess" in code]
    exec(compile(code, "authors.md", "exec"), {"__name__": "authors_guess"})
    env = rlvr.make("guess")
    check_env(env, skip_render_check=True)
    env.reset(options={"task": "42"})
    assert [env.step(said)[0] for said in ("hm", "7", "99")] == ["Say a number.", "higher", "lower"]
    assert env.step("42")[1:4] == (1.0, True, False)


def test_the_sandbox_examples(capsys):
    programs, workspaces = blocks(ROOT / "docs/sandbox.md", "python")
    exec(compile(programs, "sandbox.md", "exec"), {})
    assert capsys.readouterr().out == "[b'2\\n', b'42\\n']\n"
    exec(compile(workspaces, "sandbox.md", "exec"), {})
    command, *rest = capsys.readouterr().out.splitlines()
    assert command.startswith("CommandResult(output='1\\n', status=1, limit=None,")
    assert rest == ["/logs", "", "42", ""]


def test_the_gymnasium_example(capsys):
    exec(compile(example("import gymnasium"), "README.md", "exec"), {})
    assert "What is" in capsys.readouterr().out


def test_the_trainers_example_is_the_one_the_documentation_has():
    documented, *_ = blocks(ROOT / "docs/trainers.md", "python")
    assert documented == example("GRPOTrainer")


def test_the_evaluators_page_shows_what_score_answers():
    shown = [json.loads(line) for text in blocks(ROOT / "docs/evaluators.md", "json")
             for line in text.splitlines()]  # fmt: skip
    asked, answered, unscored = shown
    verifier = rlvr.Math().configure(**asked["options"])
    (verdict,) = rlvr.score([rlvr.Task("", asked["reference"])], [asked["response"]], verifier)
    assert {"id": 1, **verdict.to_json()} == answered
    (verdict,) = rlvr.score([rlvr.Task("", "")], ["\\boxed{1}"], verifier)
    assert {"id": 2, **verdict.to_json()} == unscored


def test_every_built_in_environment_is_in_the_table():
    text = (ROOT / "README.md").read_text()
    for spec in rlvr.environments():
        if spec.origin == "rlvr":
            assert f"| `{spec.name}` | `{spec.gym_id}` |" in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_placeholder_is_left(page):
    assert "@@" not in page.read_text()


@pytest.mark.parametrize("kind", ["math", "code", "sql"])
def test_every_option_of_a_verifier_is_documented(kind):
    _, _, options = (ROOT / f"docs/{kind}.md").read_text().partition("## Options\n")
    options, _, _ = options.partition("\n## ")
    verifier = verifier_of_kind(kind)
    assert set(re.findall(r"^\| `(\w+)` \|", options, re.MULTILINE)) == set(verifier.options)
