"""Every command line of the README and the documentation is run, or else parsed."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from rlvr.cli import main
from tests.docs import console, given
from tests.docs.fences import ALL, PAGES, in_languages, name_of
from tests.docs.shell import commands, parse, parse_rlvr, words_of
from tests.stub_server import Stub

pytest.importorskip("trl")

LANGUAGES = ("console", "bash", "sh", "shell")
BLOCKS = in_languages(*LANGUAGES)
LINES = {page: [line for fence in found for line in commands(fence)] for page, found in BLOCKS.items()}  # fmt: skip


@pytest.fixture
def server() -> Iterator[Stub]:
    with Stub() as stub:
        yield stub


def run(line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """In this process, as the console script would."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", words_of(line))
        with pytest.raises(SystemExit) as ended:
            main()
    said = capsys.readouterr()
    assert ended.value.code == 0, f"{line}\n{said.err[-2000:]}"


@pytest.mark.sweep(gate=5)
@pytest.mark.usefixtures("own_registry")
@pytest.mark.parametrize("page", LINES)
def test_commands(
    page: str,
    workplace: Path,
    data: Path,
    server: Stub,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))  # a file's folder stays there otherwise
    if page in given.FILES:
        given.FILES[page](data)
    stand_ins = console.RUN_AS.get(page, {})
    for line in console.BEFORE.get(page, []):
        if line.startswith("cp -r "):
            shutil.copytree(*line.split()[2:])
        else:
            run(line, monkeypatch, capsys)
    for line in LINES[page]:
        parse(line)
        if line not in console.ONLY_PARSED:
            assert line.startswith("rlvr "), f"{line!r} is neither run nor in ONLY_PARSED"
            run(stand_ins.get(line, line).replace("URL", server.url), monkeypatch, capsys)


def test_tables_are_of_lines_that_are_there() -> None:
    everywhere = {line for lines in LINES.values() for line in lines}
    assert set(console.ONLY_PARSED) <= everywhere
    for page, stand_ins in console.RUN_AS.items():
        assert set(stand_ins) <= set(LINES[page]), page
        assert not set(stand_ins) & set(console.ONLY_PARSED), page
    assert set(console.BEFORE) | set(given.FILES) <= set(LINES)


def test_every_block_is_of_a_kind_that_is_checked() -> None:
    known = {*LANGUAGES, "python", "json", "toml", "text"}
    unknown = [f"{fence}: {fence.language!r}" for fence in ALL if fence.language not in known]
    assert not unknown, "say what the block is, and check it in tests/docs"


@pytest.mark.parametrize(
    "line", ["rlvr trian x", "rlvr train x --no-such", "rlvr data split x", "rlvr eval -k none",
             "recipes/openrlhf/none.sh M F", "pip install 'rlvr[no-such]'", "sl", "make no-such",
             "python recipes/gsm8k_grpo.py --no-such", "python recipes/none.py",
             "python -m verl.trainer.main_ppo --config-dir recipes/verl --config-name none a=b",
             "accelerate launch --no-such recipes/gsm8k_grpo.py"],
)  # fmt: skip
def test_a_wrong_line_fails(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises((AssertionError, click.ClickException, SystemExit, FileNotFoundError)):
        parse(line)


def inline_commands(text: str) -> Iterator[list[str]]:
    """`rlvr …` in running text, without what stands for something else there."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    for span in re.findall(r"`(rlvr [a-z][^`]*)`", prose):
        words = span.replace("\\|", "|").split()
        if not words[1].endswith("…"):
            yield words


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_flags_in_the_text_are_there(page: Path) -> None:
    for words in inline_commands(page.read_text(encoding="utf-8")):
        verb = [word for word in words[1:3] if re.fullmatch("[a-z]+", word)]
        with pytest.raises(click.exceptions.Exit):  # --help ends the parsing
            parse_rlvr([*_verbs(verb), "--help"])
        shown = _help(_verbs(verb))
        for flag in re.findall(r"(?<![\w-])(--?[a-z][\w-]*)", " ".join(words)):
            assert re.search(rf"(?<![\w-]){flag}(?![\w-])", shown), f"{' '.join(words)}: {flag}"


def _verbs(words: list[str]) -> list[str]:
    """`data split` of `rlvr data split FILE`, `eval` of `rlvr eval anagram`."""
    return words if words[0] in ("data", "sandbox") else words[:1]


def _help(verb: list[str]) -> str:
    from click.testing import CliRunner

    from rlvr.cli import command

    return CliRunner().invoke(command, [*verb, "--help"]).output
