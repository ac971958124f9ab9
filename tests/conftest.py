"""What all tests share: the data sets on disk, and the command line as a user runs it."""

from __future__ import annotations

import gc
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from rlvr import sandboxes
from rlvr.sandboxes.bubblewrap import Bubblewrap
from tests.warm import LIGHT, TRAINERS, Warm

pytest_plugins = ["tests.tiers", "tests.missing", "tests.real_model"]

if "RLVR_DATA" in os.environ:  # before any worker is started
    os.environ.setdefault("NLTK_DATA", str(Path(os.environ["RLVR_DATA"]).resolve() / "nltk_data"))

# A shell's background job ignores interrupts, and tests of theirs would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Each is given to one of the processes that run tests side by side: the longest ones first, so that none ends late.
_LONG = ("test_new_packages", "test_broken", "test_pool", "test_programs", "test_docker_restart", "test_built_in",
         "test_function_faults", "test_code_verifier", "test_score_code", "test_pairs", "test_nothing_left",
         "test_hangs", "test_reasoning_gym", "test_use_is_counted", "test_instruction_envs", "test_host_files",
         "test_hostile_list", "test_fuzz", "test_score_process")  # fmt: skip

_ENVIRON = dict(os.environ)  # before any test changes it
# Read when the interpreter starts, or with the Hub's library, which the trainers import.
_EARLY = ("PYTHON", "HF_")
LONGEST_S = 900.0  # that a command may take

# Their programs run in Docker, as they would for its users. Elsewhere they run in bubblewrap's jails in the gate: a
# container takes ten times as long to start, and what is tested there isn't the jail.
_IN_DOCKER = ("sandboxes", "test_hidden_tests.py", "test_score_code.py")

CommandLine = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: place for place, name in enumerate(_LONG)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))  # the rest stays as it was


@pytest.fixture(scope="module", autouse=True)
def _imports_are_no_garbage() -> None:
    """Exclude the objects of imported modules from garbage collections.

    With the trainers there are a million of them: each collection takes half a second, and accelerate asks for one
    per run.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def _quick_jails(pytestconfig: pytest.Config) -> bool:
    """Return True if bubblewrap is to run the programs of most tests: not under `--all`, and not against a variable."""
    told = pytestconfig.getoption("--all") or "RLVR_SANDBOX" in os.environ
    return not told and Bubblewrap().why_not() is None


@pytest.fixture(scope="module", autouse=True)
def _jails(request: pytest.FixtureRequest, _quick_jails: bool) -> Iterator[None]:
    """Choose the backend of a module's programs, and end the jails that another choice has made."""
    if not _quick_jails:
        yield
        return
    if set(_IN_DOCKER).isdisjoint(request.path.parts):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RLVR_SANDBOX", "bubblewrap")
            yield
        return
    sandboxes.close()
    yield
    sandboxes.close()


@pytest.fixture(autouse=True)
def _early_variables_are_restored() -> Iterator[None]:
    """Undo changes of the variables that `rlvr_cli` starts a fresh process for, ten seconds with the trainers."""
    before = {name: value for name, value in os.environ.items() if name.startswith(_EARLY)}
    yield
    for name in [name for name in os.environ if name.startswith(_EARLY)]:
        if name not in before:
            del os.environ[name]
    os.environ.update(before)


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder `RLVR_DATA`. Its tests are skipped without it, except in CI, where it has to be."""
    folder = os.environ.get("RLVR_DATA")
    if folder and Path(folder).is_dir():
        return Path(folder)
    reason = f"RLVR_DATA names no folder of data sets (it's {folder!r})"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    """The small model's: `<user>` and `<bot>` begin turns, and `<eos>` ends them."""
    pytest.importorskip("transformers")
    from rlvr.training.quickstart.model import make_tokenizer

    return make_tokenizer()


@pytest.fixture(scope="session")
def warm() -> Iterator[Callable[[Sequence[str]], Warm]]:
    """Return a function that gives the process with these modules, one for all tests."""
    started: dict[Sequence[str], Warm] = {}

    def of(modules: Sequence[str]) -> Warm:
        if modules not in started or not started[modules].is_there:
            started[modules] = Warm(modules, _ENVIRON)
        return started[modules]

    yield of
    for process in started.values():
        process.close()


@pytest.fixture
def rlvr_cli(
    tmp_path: Path, warm: Callable[[Sequence[str]], Warm], pytestconfig: pytest.Config
) -> CommandLine:
    """`python -m rlvr …` in a process of its own, in a folder of its own."""

    def run(
        *arguments: str | Path,
        input: str | bytes = "",
        environ: dict[str, str] | None = None,
        cwd: Path = tmp_path,
    ) -> subprocess.CompletedProcess[str]:
        words = [str(argument) for argument in arguments]
        given = input if isinstance(input, bytes) else input.encode()
        variables = os.environ | {"COLUMNS": "200"} | (environ or {})
        trains = words[:1] in (["train"], ["kl"], ["quickstart"]) and "--help" not in words
        trains = trains and importlib.util.find_spec("trl") is not None
        early = _EARLY if trains else _EARLY[:1]
        changed = {name for name, _ in set(variables.items()) ^ set(_ENVIRON.items())}
        if pytestconfig.getoption("--all") or any(name.startswith(early) for name in changed):
            command = [sys.executable, "-m", "rlvr", *words]
            done = subprocess.run(
                command, input=given, capture_output=True, cwd=cwd, env=variables, timeout=LONGEST_S
            )
        else:
            loads = words[:1] == ["eval"] and "--model" in words and "--base-url" not in words
            loads = loads and not any(name.startswith(_EARLY) for name in changed)
            modules = TRAINERS if trains or loads else LIGHT
            done = warm(modules).run(words, given, cwd, variables, LONGEST_S)
        out, err = done.stdout.decode(), done.stderr.decode()
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    return run
