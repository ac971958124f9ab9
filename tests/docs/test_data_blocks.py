"""Every block of data in the documentation is read by what reads such data in earnest."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rlvr
from rlvr.cli.lines import verdict_lines
from rlvr.cli.suite import read_suite
from rlvr.core.fixtures import read_fixtures
from rlvr.core.registry import GROUP
from rlvr.envs.browser import SITE
from rlvr.envs.browser.families import BROWSER_FAMILIES
from rlvr.evaluation.critiques import read_critiques
from rlvr.runs.rollouts import Rollout
from rlvr.sandboxes import browsers
from rlvr.sandboxes.browsers import BrowserJail
from tests.docs.fences import ALL, ROOT, in_languages
from tests.docs.shell import parse

DATA = ("json", "toml")
TEXT = in_languages("text")


def _score(text: str, _: Path) -> None:
    """Lines in are judged as they stand; lines out are what a verdict looks like."""
    for line in text.splitlines():
        row = json.loads(line)
        if "response" in row:
            (out,) = verdict_lines([line.encode()], rlvr.Math())
            assert out["scored"], line
            continue
        like: rlvr.Verdict
        if row["scored"]:
            status = rlvr.Status(row["status"])
            like = rlvr.Scored(row["reward"], status, row["components"], row["feedback"])
        else:
            like = rlvr.Unscored(rlvr.Cause(row["cause"]), row["message"])
        assert {"id": row["id"], **like.to_json()} == row


def _fixtures(text: str, folder: Path) -> None:
    (folder / "fixtures.jsonl").write_text(text, encoding="utf-8")
    assert len(read_fixtures(folder / "fixtures.jsonl")) == len(text.splitlines())


def _suite(text: str, folder: Path) -> None:
    (folder / "suite.toml").write_text(text, encoding="utf-8")
    assert read_suite(str(folder / "suite.toml"), 1, None)


def _training(text: str, folder: Path) -> None:
    (folder / "run.toml").write_text(text, encoding="utf-8")
    known = {spec.name for spec in rlvr.environments()}
    assert {
        source.name for source in rlvr.TrainConfig.read(folder / "run.toml").environments
    } <= known


def _entry_point(text: str, folder: Path) -> None:
    (group,) = tomllib.loads(text)["project"]["entry-points"]
    assert group == GROUP


def _critiques(text: str, folder: Path) -> None:
    (folder / "critiques.jsonl").write_text(text, encoding="utf-8")
    assert len(list(read_critiques(folder / "critiques.jsonl"))) == len(text.splitlines())


READS: dict[tuple[str, str], Callable[[str, Path], None]] = {
    ("docs/authors.md", "json"): _fixtures,
    ("docs/authors.md", "toml"): _entry_point,
    ("docs/evaluators.md", "json"): _score,
    ("docs/evaluators.md", "toml"): _suite,
    ("docs/faults.md", "json"): _score,
    ("docs/judging_episodes.md", "json"): _fixtures,
    ("docs/synthesis.md", "json"): _critiques,
    ("docs/training.md", "toml"): _training,
}
"""What reads a page's blocks in a language."""


@pytest.mark.parametrize(("page", "language"), READS)
def test_data(page: str, language: str, tmp_path: Path, data: Path) -> None:
    for fence in in_languages(language)[page]:
        READS[page, language](fence.text, tmp_path)


def _names_of_verl(text: str) -> None:
    given = dict(line.split("=", 1) for line in text.splitlines())
    assert given["reward.reward_manager.module.path"] == "pkg://rlvr.adapters.verl"
    for name in ("reward.custom_reward_function.name", "reward.reward_manager.name"):
        assert hasattr(rlvr.verl, given[name])


def _alarm(text: str) -> None:
    """Check what the guard says of 38 in 100 rollouts without a reward, again and again."""
    from rlvr.training.guards import GuardConfig, Guards

    causes = [rlvr.Cause.SANDBOX] * 32 + [rlvr.Cause.TIMEOUT] * 6
    verdicts: list[Any] = [rlvr.Unscored(cause, "") for cause in causes]
    verdicts += [rlvr.Scored(float(i % 2), rlvr.Status.PARTIAL) for i in range(62)]
    said = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "A word of it."}]
    rollouts = [
        Rollout("x", None, rlvr.Task("?", "", str(i)), 0, said, verdict)
        for i, verdict in enumerate(verdicts)
    ]
    guards = Guards(GuardConfig(), run="runs/x")
    alarms = [alarm for step in range(9) for alarm in guards.check(step + 1, rollouts, {})]
    alarm = next(alarm for alarm in alarms if alarm.stops)
    assert " ".join(text.split()) == f"rlvr: stopping the run: {alarm}"


def _filter_flags(text: str) -> None:
    """The flags that tests/adapters/openrlhf has OpenRLHF read."""
    assert re.fullmatch(r"--algo\.dynamic_filtering_enable --algo\.dynamic_filtering_range \S+ \S+\n", text)  # fmt: skip
    tested = (ROOT / "tests/adapters/openrlhf/test_openrlhf_reward.py").read_text(encoding="utf-8")
    low, high = text.split()[-2:]
    assert f"dynamic_filtering_range=({low}, {high})" in tested


def _command_and_output(text: str) -> None:
    """Check that the command exists with its options; the figures are an example."""
    assert text.startswith("$ rlvr ")
    parse(text.splitlines()[0].removeprefix("$ "))


def _page_of_browser(text: str) -> None:
    """Check a page of the browser, with one employee, in Chromium or else without a browser."""
    draft = BROWSER_FAMILIES["staff_records"](np.random.default_rng(0), 1)
    row = {"name": "Ada Keller", "department": "Legal", "office": "Cork", "remote": False}
    state = {"app": draft.app, "tables": {"employees": [{"id": 1, "extension": 4100, **row}]}}
    if browsers.why_not() is not None:
        assert "Employees: 1, page 1 of 1" in text
        return
    with BrowserJail.launch(SITE.read_text(), state) as jail:
        page = jail.act({"do": "open", "path": "/t/employees?q=Ada"})["page"]
    assert f"{page['title']} ({page['path']})\n{page['text']}".strip() == text.strip()


SHOWN: dict[str, Callable[[str], None]] = {
    "docs/browser.md": _page_of_browser,
    "docs/evaluators.md": _command_and_output,
    "docs/guards.md": _alarm,
    "docs/openrlhf.md": _filter_flags,
    "docs/verl.md": _names_of_verl,
}


@pytest.mark.parametrize("page", TEXT)
def test_what_is_only_shown_is_so(page: str) -> None:
    for fence in TEXT[page]:
        SHOWN[page](fence.text)


def test_tables_are_of_pages_that_are_there() -> None:
    assert set(READS) == {(fence.page, fence.language) for fence in ALL if fence.language in DATA}
    assert set(SHOWN) == set(TEXT)


def test_the_smokes_output_is_of_its_form() -> None:
    (fence,) = [fence for fence in ALL if "smoke: " in fence.text]
    (line,) = re.findall(r"^smoke: .*$", fence.text, re.MULTILINE)
    printed = (ROOT / "recipes/_smoke.py").read_text(encoding="utf-8")
    for words in ("smoke: ", " steps, ", " rollouts, all scored, ", "mean reward "):
        assert words in line
        assert words in printed
