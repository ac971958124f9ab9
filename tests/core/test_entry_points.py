"""Environments from installed packages: real distributions on the path of a fresh interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = '''"""Anagrams, installed."""
import rlvr

@rlvr.environment("{name}", version={version})
def make(reference="4"):
    return rlvr.SingleTurn(rlvr.TaskSet([rlvr.Task("2+2?", reference)]), rlvr.Math())
'''


class Site:
    """A folder of packages, as pip would have left them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def install(
        self,
        distribution: str,
        entry_points: str | bytes,
        metadata: str | None = None,
        **modules: str,
    ) -> None:
        info = self.path / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir(parents=True)
        if metadata is None:
            metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1\n"
        (info / "METADATA").write_text(metadata)
        if isinstance(entry_points, str):
            entry_points = f"[rlvr.environments]\n{entry_points}\n".encode()
        (info / "entry_points.txt").write_bytes(entry_points)
        for name, code in modules.items():
            (self.path / f"{name}.py").write_text(code)

    def python(self, code: str) -> subprocess.CompletedProcess[str]:
        paths = [str(self.path), *filter(None, [os.environ.get("PYTHONPATH")])]
        return subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        )

    def output(self, code: str) -> str:
        done = self.python(code)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")


def test_an_installed_package_brings_its_environment(site: Site) -> None:
    site.install(
        "rlvr-anagram",
        "anagram-v2 = rlvr_anagram:make",
        rlvr_anagram=MODULE.format(name="anagram", version=2),
    )
    assert site.output(
        "import sys, rlvr, gymnasium\n"
        "assert 'rlvr_anagram' not in sys.modules\n"  # nothing is imported until it's made
        "spec = {spec.name: spec for spec in rlvr.environments()}['anagram']\n"
        "env = rlvr.make('anagram', reference='5')\n"
        "same = gymnasium.make('rlvr/Anagram-v2').unwrapped\n"
        "print(spec.origin, spec.version, env.tasks[0].reference, same.tasks[0].reference)"
    ) == ("rlvr-anagram 2 5 4")


def test_a_name_without_a_version_is_version_0(site: Site) -> None:
    code = MODULE.format(name="anagram", version=0)
    site.install("rlvr-anagram", "anagram = rlvr_anagram:make", rlvr_anagram=code)
    assert site.output("import rlvr; print(rlvr.make('rlvr/Anagram-v0').name)") == "anagram"


def test_a_version_other_than_the_codes_is_refused_with_the_mend(site: Site) -> None:
    code = MODULE.format(name="anagram", version=1)
    site.install("rlvr-anagram", "anagram = rlvr_anagram:make", rlvr_anagram=code)
    done = site.python("import rlvr; rlvr.make('anagram')")
    assert "name the entry point 'anagram-v1'" in done.stderr.splitlines()[-1]


@pytest.mark.sweep(gate=1)
@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import no_such_module", "No module named 'no_such_module'"),
        ("1 / 0", "ZeroDivisionError"),
        ("def create(): ...", "has no attribute 'make'"),
        ("def make(: ...", "SyntaxError"),
    ],
)
def test_a_broken_package_is_named_when_used_and_harms_no_other(
    site: Site, code: str, says: str
) -> None:
    site.install("rlvr-broken", "broken = rlvr_broken:make", rlvr_broken=code)
    assert site.output("import rlvr; print(rlvr.make('arithmetic').name)") == "arithmetic"
    done = site.python("import rlvr; rlvr.make('broken')")
    last = done.stderr.splitlines()[-1]
    assert last.startswith("rlvr.core.errors.BrokenEnvironmentError: The environment 'broken'")
    assert "(from rlvr-broken) can't be loaded" in last
    assert says in last


def test_a_missing_extra_is_not_called_broken(site: Site) -> None:
    code = (
        "from rlvr.core.errors import MissingExtraError\nraise MissingExtraError('pip install x')"
    )
    site.install("rlvr-extra", "extra = rlvr_extra:make", rlvr_extra=code)
    done = site.python("import rlvr; rlvr.make('extra')")
    assert done.stderr.splitlines()[-1].endswith("MissingExtraError: pip install x")


@pytest.mark.sweep(gate=2)
@pytest.mark.parametrize(
    "name", ["Anagram", "an-agram", "my-very-own", "anagram-v", "anagram-vx", "100%d"]
)
def test_a_name_that_is_none_is_warned_about_and_not_fatal(site: Site, name: str) -> None:
    site.install("rlvr-odd", f"{name} = rlvr_odd:make")
    done = site.python("import rlvr; print({spec.origin for spec in rlvr.environments()})")
    assert done.stdout.strip() == "{'rlvr'}"
    assert f"{name!r} can't name an environment" in done.stderr


def test_a_name_that_is_taken_is_warned_about_and_the_built_in_stays(site: Site) -> None:
    site.install("rlvr-other", "gsm8k = rlvr_other:make")
    done = site.python("import rlvr; print({spec.origin for spec in rlvr.environments()})")
    assert done.stdout.strip() == "{'rlvr'}"
    assert "'gsm8k' is registered twice: by rlvr and by rlvr-other" in done.stderr


def test_two_packages_of_one_name_are_both_named(site: Site) -> None:
    for distribution in ("rlvr-one", "rlvr-two"):
        module = distribution.replace("-", "_")
        code = MODULE.format(name="anagram", version=0)
        site.install(distribution, f"anagram = {module}:make", **{module: code})
    done = site.python("import rlvr; print(rlvr.make('anagram').name)")
    assert done.stdout.strip() == "anagram"
    assert "rlvr-one" in done.stderr
    assert "rlvr-two" in done.stderr


GROUP = b"[rlvr.environments]\n"
MALFORMED = {
    "no-line": GROUP + b"this is not a line\n",
    "no-utf8": GROUP + b"\xff\xfe = a:b\n",
    "no-target": GROUP + b"half =\n",
    "odd-target": GROUP + b"odd = ../../evil.py\n",
    "nul": GROUP + b"\0 = \0\n",
    "elsewhere": b"broken\n[other]\nx\n" + GROUP + b"fine = a:b\n",
}


def test_malformed_packages_are_warned_about_once_each_and_harm_no_other(site: Site) -> None:
    for distribution, points in MALFORMED.items():
        site.install(distribution, points)
    site.install("nameless", "nameless = a:b", metadata="")
    site.install("unrelated", b"[other]\nno line\n\xff")  # nothing of ours: not a word
    os.mkfifo(site.path / "unrelated-1.0.dist-info" / "pipe")
    (site.path / "piped-1.0.dist-info").mkdir()
    os.mkfifo(site.path / "piped-1.0.dist-info" / "entry_points.txt")
    site.install("good", "good = rlvr_good:make", rlvr_good=MODULE.format(name="good", version=0))
    done = site.python(
        "import rlvr\n"
        "print(*sorted(s.name for s in rlvr.environments() if s.origin != 'rlvr'))\n"
        "print(rlvr.make('good').name, rlvr.make('gsm8k').name)\n"
        "from rlvr.cli import main; import sys; sys.argv = ['rlvr', 'list']; main()"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == ["good", "good gsm8k"]
    for distribution in (*MALFORMED, "nameless"):
        assert (
            done.stderr.count(f"{distribution.replace('-', '_')}-1.0.dist-info' is left out") == 1
        )
    assert "unrelated" not in done.stderr


@pytest.mark.sweep(gate=1)
@pytest.mark.parametrize("distribution", ["code", "rlvr", "rlvr-other"])
def test_no_package_takes_over_a_built_in_whatever_it_is_called(
    site: Site, distribution: str
) -> None:
    site.install(distribution, "gsm8k = anything:make\nown = rlvr_own:make", rlvr_own=TAKES_OVER)
    done = site.python(
        "import rlvr\n"
        "try: rlvr.make('own')\n"
        "except rlvr.RlvrError as error: print(error)\n"
        "print({s.name: s.target for s in rlvr.environments()}['gsm8k'])"
    )
    assert done.stdout.splitlines()[-1] == "rlvr.envs.gsm8k:make"
    assert "'gsm8k' is registered twice: by rlvr and by code" in done.stdout
    assert f"'gsm8k' is registered twice: by rlvr and by {distribution}" in done.stderr


TAKES_OVER = """
import rlvr
@rlvr.environment("gsm8k")
def gsm8k(): ...
def make(): ...
"""


@pytest.mark.sweep(gate=2)
@pytest.mark.parametrize(
    "code",
    [
        "raise SystemExit(0)",
        "import sys; sys.exit()",
        "import sys; sys.exit(256)",
        "class Odd(BaseException): pass\nraise Odd",
        "def make(**options): raise SystemExit(0)",
        "import asyncio\nraise asyncio.CancelledError",
        "import rlvr\ndef make():\n    def load(): raise SystemExit(0)\n"
        "    return rlvr.SingleTurn(rlvr.TaskSet(load), rlvr.Math())",
    ],
)
def test_a_package_that_ends_the_process_ends_no_evaluation_in_success(
    site: Site, code: str, tmp_path: Path
) -> None:
    site.install("rlvr-quits", "quits = rlvr_quits:make", rlvr_quits=code)
    command = ["rlvr", "eval", "quits", "--policy", "empty", "--run", str(tmp_path / "run")]
    done = site.python(f"import sys; sys.argv = {command!r}\nfrom rlvr.cli import main; main()")
    assert done.returncode in (1, 2)
    assert "quits" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_no_package_takes_over_another_ones_name_by_its_code(site: Site) -> None:
    site.install("one", "anagram = one:make", one=MODULE.format(name="anagram", version=0))
    code = MODULE.format(name="anagram", version=0) + "\ndef other(): ...\n"
    site.install("two", "other = two:other", two=code)
    site.install("three", "inner = three:make", three="from three_inner import make\n")
    (site.path / "three_inner.py").write_text(MODULE.format(name="own", version=0))
    done = site.python("import rlvr; rlvr.make('other')")
    assert "'anagram' is registered twice: by one and by code" in done.stderr
    assert site.output("import rlvr; print(rlvr.make('inner').name)") == "inner"


def test_a_module_that_the_user_names_registers_its_environments(site: Site) -> None:
    site.path.mkdir()
    (site.path / "mine.py").write_text(MODULE.format(name="anagram", version=0))
    code = "import rlvr, sys; print('mine' in sys.modules, rlvr.make('anagram').name)"
    done = site.python(f"import os; os.environ['RLVR_ENVIRONMENTS'] = 'mine'; {code}")
    assert done.stdout.strip() == "False anagram"  # imported when it's needed
    assert "no environment 'anagram'" in site.python(code).stderr
    listed = "import sys; from rlvr.cli import main; sys.argv = ['rlvr', 'list']; main()"
    done = site.python(f"import os; os.environ['RLVR_ENVIRONMENTS'] = 'mine, absent'; {listed}")
    assert done.returncode == 0
    assert "anagram" in done.stdout
    assert "'absent', which RLVR_ENVIRONMENTS names" in done.stderr
    done = site.python(f"import os; os.environ['RLVR_ENVIRONMENTS'] = 'absent'; {code}")
    assert "'absent', which RLVR_ENVIRONMENTS names, can't be imported" in done.stderr
