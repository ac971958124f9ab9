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

    def install(self, distribution: str, entry_points: str, **modules: str) -> None:
        info = self.path / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[rlvr.environments]\n{entry_points}\n")
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
    assert "'gsm8k' is there twice: from rlvr and from rlvr-other" in done.stderr


def test_two_packages_of_one_name_are_both_named(site: Site) -> None:
    for distribution in ("rlvr-one", "rlvr-two"):
        module = distribution.replace("-", "_")
        code = MODULE.format(name="anagram", version=0)
        site.install(distribution, f"anagram = {module}:make", **{module: code})
    done = site.python("import rlvr; print(rlvr.make('anagram').name)")
    assert done.stdout.strip() == "anagram"
    assert "rlvr-one" in done.stderr
    assert "rlvr-two" in done.stderr
