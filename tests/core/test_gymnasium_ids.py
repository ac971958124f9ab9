"""Gymnasium knows our ids whichever is imported first, and rlvr doesn't import it before it's needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

KNOWS = "assert 'rlvr/GSM8K-v0' in gymnasium.registry and 'rlvr/Slice-v0' in gymnasium.registry\n"


def output(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no warning about an id that is replaced
    return done.stdout.strip()


@pytest.mark.parametrize(
    "imports",
    [
        "import rlvr, gymnasium",
        "import gymnasium, rlvr",
        "import rlvr\nfrom gymnasium import registry\nimport gymnasium",
        "import rlvr, gymnasium.spaces, gymnasium",
        "import rlvr, gymnasium, importlib\nimportlib.reload(gymnasium)",
        "import rlvr\nrlvr.make('arithmetic')\nimport gymnasium",
    ],
)
def test_the_ids_are_there(imports: str) -> None:
    code = f"{imports}\n{KNOWS}print(gymnasium.make('rlvr/Arithmetic-v0').unwrapped.name)"
    assert output(code) == "arithmetic"


def test_an_import_that_fails_may_be_tried_again() -> None:
    code = (
        "import sys, rlvr\nsys.modules['numpy'] = None\n"
        "try:\n    import gymnasium\nexcept ImportError:\n    del sys.modules['numpy']\n"
        f"import gymnasium\n{KNOWS}print('numpy' in sys.modules)"
    )
    assert output(code) == "True"


def test_an_environment_registered_before_and_one_after() -> None:
    code = (
        "import rlvr\n"
        "@rlvr.environment('early', version=2)\ndef early(): ...\n"
        "@rlvr.environment('early', version=3)\ndef early(): ...\n"
        "import gymnasium\n"
        "@rlvr.environment('late')\ndef late(): ...\n"
        "print(*(id for id in gymnasium.registry if 'ate' in id or 'arly' in id))"
    )
    assert output(code) == "rlvr/Early-v3 rlvr/Late-v0"


@pytest.mark.parametrize(
    "code",
    [
        "import rlvr; rlvr.environments(); rlvr.RlvrError; rlvr.Task",
        "import rlvr; rlvr.score([rlvr.Task('', '4')], ['\\\\boxed{4}'], rlvr.Math())",
        "import rlvr.cli",
        "import rlvr.cli.score",
    ],
)
def test_what_needs_no_environment_imports_neither_gymnasium_nor_numpy(code: str) -> None:
    loaded = output(f"import sys\n{code}\nprint(*sys.modules)").split()
    assert {"gymnasium", "numpy", "sympy", "asyncio", "rlvr.scoring.pool"} & set(loaded) == set()


def test_the_error_of_a_missing_reset_is_gymnasiums_too() -> None:
    code = (
        "import pickle, rlvr\nfrom rlvr.core.errors import ResetNeededError as Error\n"
        "import gymnasium\nassert Error is rlvr.errors.ResetNeededError\n"
        "print(type(pickle.loads(pickle.dumps(Error('why')))).__mro__[1:3])"
    )
    assert "RlvrError" in output(code)
    assert "ResetNeeded" in output(code)
