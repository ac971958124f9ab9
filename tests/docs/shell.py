"""Command lines of console blocks: found, and parsed for real where they aren't run."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click
import pytest

from rlvr.cli import command as rlvr_command
from tests.docs.fences import ROOT, Fence


def commands(fence: Fence) -> Iterator[str]:
    """Each command of a block, without comments, on one line. Where lines begin with `$ `, others are output."""
    text = fence.text.replace("\\\n", " ")
    shown = re.findall(r"^\$ (.*)$", text, re.MULTILINE)
    for line in shown or text.splitlines():
        words = shlex.split(line, comments=True, posix=False)
        if words:
            yield from " ".join(words).split(" && ")


def parse_rlvr(words: Sequence[str]) -> None:
    """As click does it, up to the verb's function. Raises `click.ClickException`."""
    found: click.Command = rlvr_command
    context = None
    arguments = list(words)
    while True:
        context = found.make_context(found.name, arguments, parent=context)
        if not isinstance(found, click.Group):
            return
        _, found, arguments = found.resolve_command(context, [*context.protected_args, *context.args])  # fmt: skip


def _pip(words: Sequence[str]) -> None:
    assert words[:1] == ["install"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for wanted in words[1:]:
        match = re.fullmatch(r"(?:rlvr|\.)(?:\[([\w,-]+)\])?", wanted)
        assert match, f"pip is asked for {wanted!r}"
        for extra in (match[1] or "").split(","):
            assert not extra or extra in project["optional-dependencies"], f"no extra {extra!r}"


def _make(words: Sequence[str]) -> None:
    done = subprocess.run(["make", "-n", *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _script(words: Sequence[str]) -> None:
    """A recipe's own parser reads its arguments; what follows is never begun."""
    path, *arguments = words
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [path, *arguments])
        patch.setattr("rlvr.train", _parsed)
        patch.syspath_prepend(str(ROOT / "recipes"))
        smoke = __import__("_smoke")
        patch.setattr(smoke, "smoke", _parsed)
        with pytest.raises(_Parsed):
            runpy.run_path(str(ROOT / path), run_name="__main__")


class _Parsed(Exception):
    pass


def _parsed(*_: object, **__: object) -> None:
    raise _Parsed


def _accelerate(words: Sequence[str]) -> None:
    launch, *arguments = words
    assert launch == "launch"
    from accelerate.commands.launch import launch_command_parser

    known = launch_command_parser().parse_args(arguments)
    _script([known.training_script, *known.training_script_args])


def _verl(words: Sequence[str]) -> None:
    """Flags that say where a config is, and Hydra's overrides."""
    flags = dict(zip(words[0:4:2], words[1:4:2], strict=True))
    assert list(flags) == ["--config-dir", "--config-name"]
    config = ROOT / flags["--config-dir"] / f"{flags['--config-name']}.yaml"
    assert config.is_file(), config
    for override in words[4:]:
        assert re.fullmatch(r"\+{0,2}[a-z_0-9.]+=\S+", override), override


def _python(words: Sequence[str]) -> None:
    if words[:2] == ["-m", "verl.trainer.main_ppo"]:
        _verl(words[2:])
    else:
        _script(words)


def _shell_recipe(words: Sequence[str]) -> None:
    """It's there, may be run, is sound, and gets the two arguments it takes."""
    path, *arguments = words
    assert os.access(ROOT / path, os.X_OK), path
    assert subprocess.run(["bash", "-n", ROOT / path]).returncode == 0
    assert len(arguments) >= 2
    assert Path(arguments[1]).is_file(), f"{arguments[1]} is what an earlier line should have made"


PARSERS: dict[str, Callable[[Sequence[str]], None]] = {
    "rlvr": parse_rlvr,
    "pip": _pip,
    "make": _make,
    "python": _python,
    "accelerate": _accelerate,
    "recipes/openrlhf/grpo.sh": lambda words: _shell_recipe(["recipes/openrlhf/grpo.sh", *words]),
    "recipes/openrlhf/ppo.sh": lambda words: _shell_recipe(["recipes/openrlhf/ppo.sh", *words]),
}


def words_of(line: str) -> list[str]:
    """The words, without variables set before the command."""
    words = shlex.split(line)
    while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
        del words[0]
    return words


def parse(line: str) -> None:
    """Raises where the command line can't be right."""
    program, *rest = words_of(line)
    assert program in PARSERS, (
        f"nobody here knows how to parse {program!r}: see tests/docs/shell.py"
    )
    PARSERS[program](rest)
