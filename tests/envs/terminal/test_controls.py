"""Tests among variants that must fail: the right code passes, and code that forges its tests' results doesn't."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import rlvr
from rlvr.authoring.mining import mine
from rlvr.authoring.mining.history import GitHistory
from rlvr.authoring.mining.variants import found_tests, variants
from rlvr.cli import command as command_line
from rlvr.core.errors import DataError, SandboxError
from rlvr.core.verdict import Scored
from rlvr.envs.terminal.controls import controls_of, read_controls
from tests.envs.terminal.conftest import Play, jails_of

WRONG = "def area(a, b):\n    return a + b\n\n\ndef name(a):\n    return 'rect'\n"
RIGHT = "def area(a, b):\n    return a * b\n\n\ndef name(a):\n    return 'square' if a == 4 else 'rectangle'\n"
TESTS = """\
import pytest
from shapes.rect import area, name


def test_area():
    assert area(3, 4) == 12
    assert area(0, 4) == 0


class TestNames:
    def test_name(self):
        assert name(4) == "square"


@pytest.mark.parametrize(("a", "b", "expected"), [(2, 5, 10), (7, 3, 21)])
def test_areas(a, b, expected):
    assert area(a, b) == expected


def test_that_passed_before():
    assert area(2, 2) == 4
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository whose last commit fixes something, with tests."""
    path = tmp_path_factory.mktemp("repository")
    (path / "shapes").mkdir(parents=True)
    (path / "tests").mkdir()

    def commit(message: str, **files: str) -> None:
        for place, content in files.items():
            (path / place.replace("__", "/").replace("_py", ".py")).write_text(content)
        git = ["git", "-C", str(path), "-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-qm", message], check=True)

    subprocess.run(["git", "init", "-q", str(path)], check=True)
    old = TESTS.partition("def test_area")[0] + TESTS[TESTS.index("def test_that") :]
    (path / "shapes" / "__init__.py").write_text("")
    commit("Begin", shapes__rect_py=WRONG, tests__test_rect_py=old)
    commit("Say something else", README_py="")
    commit("Multiply in area and name squares\n\nIt added.", shapes__rect_py=RIGHT, tests__test_rect_py=TESTS)  # fmt: skip
    return path


@pytest.fixture(scope="module")
def mining(
    repository: Path, with_pytest: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """Return the folder of the task that the command mines from the repository, and what it says."""
    folder = tmp_path_factory.mktemp("mined")
    with jails_of(with_pytest):
        done = mined_by_command(repository, folder)
    assert done.exit_code == 0, done.output
    return folder, done.output


@pytest.fixture(scope="module")
def mined(mining: tuple[Path, str]) -> Path:
    return mining[0]


def mined_by_command(repository: Path, folder: Path, *more: str) -> Result:
    arguments = ["data", "mine", str(repository), "-o", str(folder), "--timeout", "30", *more]
    return CliRunner().invoke(command_line, arguments)


def test_variants_are_the_test_with_other_values() -> None:
    found = {test.name: test for test in found_tests(TESTS)}
    assert list(found) == [
        "test_area",
        "TestNames::test_name",
        "test_areas",
        "test_that_passed_before",
    ]
    for name, most in (("test_area", 8), ("TestNames::test_name", 8), ("test_areas", 4)):
        lists = variants(TESTS, found[name], most, random.Random(0))
        assert lists
        for texts in lists:
            assert len(texts) == len(set(texts)) == most
            assert all(text.count("def @NAME@(") == 1 for text in texts)
            plain = (
                texts[0].replace("@NAME@", name.rpartition("::")[2]).replace("'square'", '"square"')
            )
            assert plain.strip() in TESTS


def test_a_number_may_have_any_place_among_its_variants() -> None:
    """Otherwise the smallest, or the one in the middle, would be the right one."""
    source = "def test_a():\n    assert f(1) == 1000\n"
    (test,) = found_tests(source)
    places = set()
    for seed in range(200):
        texts = variants(source, test, 8, random.Random(seed))[0]
        numbers = [int(text.rpartition("== ")[2]) for text in texts]
        places.add(sorted(numbers).index(1000))
    assert places == set(range(8))


def test_a_repository_s_fix_becomes_a_task(
    repository: Path, mined: Path, jails_with_pytest: None, play: Play
) -> None:
    lines: list[str] = []
    report = mine(repository, mined, timeout_s=30, progress=lines.append)  # what is there is read
    (task,) = report.tasks
    assert report.walked == 1
    assert task.folder.parent == mined
    assert task.decisive == 3
    assert task.guesses >= 20
    assert "Multiply in area" in lines[-1]

    env = rlvr.make("terminal", data=str(mined))
    assert "Multiply in area" in env.tasks[0].text
    assert "a * b" not in json.dumps(env.tasks[0].to_json())
    solution = env.verifier.demonstrate(env.tasks[0])
    assert solution is not None
    verdicts = {
        "the solution": play(
            env, env.tasks[0], ["patch --version > /dev/null", *_commands(solution)]
        ),
        "by hand": play(env, env.tasks[0], [_write(RIGHT.replace("a * b", "b * a"))]),
        "nothing": play(env, env.tasks[0], []),
        "half": play(env, env.tasks[0], [_write(RIGHT.replace("'square'", "'quadrat'"))]),
    }
    rewards = {
        name: verdict.reward for name, verdict in verdicts.items() if isinstance(verdict, Scored)
    }
    assert rewards == {"the solution": 1.0, "by hand": 1.0, "nothing": 0.0, "half": 0.0}, verdicts


FORGERIES = {
    "all passes": "import _pytest.runner as r\nold = r.check_interactive_exception\nimport _pytest.reports as p\n_init = p.TestReport.__init__\ndef init(self, *a, **k):\n    _init(self, *a, **k)\n    self.outcome, self.longrepr = 'passed', None\np.TestReport.__init__ = init\n",
    "ends the process": "import os\nos._exit(0)\n",
    "equals all": "class Any(int):\n    def __eq__(self, other): return True\n    __hash__ = None\n",
    "reads the assertion": "import sys, linecache, re\ndef told():\n    f = sys._getframe(2)\n    return eval(linecache.getline(f.f_code.co_filename, f.f_lineno).rpartition('== ')[2], f.f_globals, f.f_locals)\n",
    "writes the results": "import json, glob, re, atexit, os\ndef write():\n    os.makedirs('/tests', exist_ok=True)\n    with open('/tests/results.jsonl', 'w') as file:\n        for path in glob.glob('tests/*.py'):\n            for name in re.findall(r'def (test_\\w+)', open(path).read()):\n                file.write(json.dumps([f'{path}::{name}', 'passed']) + '\\n')\n    os._exit(0)\natexit.register(write)\n",
}
BODIES = {
    "equals all": "def area(a, b):\n    return Any()\ndef name(a):\n    return Any()\n",
    "reads the assertion": "def area(a, b):\n    return told()\ndef name(a):\n    return told()\n",
}


@pytest.mark.sweep(gate=2)
@pytest.mark.parametrize("forgery", FORGERIES)
def test_code_that_forges_its_tests_earns_nothing(
    forgery: str, mined: Path, jails_with_pytest: None, play: Play
) -> None:
    env = rlvr.make("terminal", data=str(mined))
    source = FORGERIES[forgery] + BODIES.get(forgery, WRONG)
    verdict = play(env, env.tasks[0], [_write(source)])
    assert isinstance(verdict, Scored), verdict
    assert verdict.reward == 0.0


def test_what_is_planted_beside_the_package_is_not_the_verifier_s(
    mined: Path, jails_with_pytest: None, play: Play
) -> None:
    env = rlvr.make("terminal", data=str(mined))
    plant = "for p in . shapes tests; do for f in conftest.py sitecustomize.py pytest.py pytest.ini; do printf 'import os; os._exit(0)' > $p/$f; done; done; rm -f tests/test_rect.py"
    verdict = play(env, env.tasks[0], [plant, _write(RIGHT)])
    assert isinstance(verdict, Scored)
    assert verdict.reward == 1.0  # the work is right, and nothing of the rest counts
    verdict = play(env, env.tasks[0], [plant])
    assert isinstance(verdict, Scored)
    assert verdict.reward == 0.0


@pytest.mark.parametrize("plant", ["mkdir tests/test_rect.py; touch tests/test_rect.py/x", "mkdir -p /tests/plugin/rlvr_report.py/x", "rm -r tests; touch tests"])  # fmt: skip
def test_files_in_the_tests_way_are_not_a_fault(
    plant: str, mined: Path, jails_with_pytest: None, play: Play
) -> None:
    env = rlvr.make("terminal", data=str(mined))
    verdict = play(env, env.tasks[0], [f"rm -f tests/test_rect.py; {plant}"])
    assert isinstance(verdict, Scored), verdict
    assert verdict.reward == 0.0


def test_the_same_tests_are_shuffled_alike_for_the_same_work(mined: Path) -> None:
    (path,) = mined.glob("*/tests/rlvr.json")
    controls = read_controls(path)
    assert controls_of(controls.to_json()) == controls
    (file,) = controls.files.values()
    one, other = (file.shuffled(random.Random(seed)) for seed in (1, 1))
    assert one == other
    source, expected = one
    compile(source, "test", "exec")
    assert source != file.shuffled(random.Random(2))[0]
    assert sum("failed" not in cases for cases in expected.values()) == len(file.varied) + len(
        file.expected
    )
    assert "test_area(" not in source


BROKEN: list[Callable[[dict[str, object]], object]] = [
    lambda given: given.pop("root"),
    lambda given: given.update(files={}),
    lambda given: given.update(files=3),
    lambda given: given.update(packages=["a b"]),
]


@pytest.mark.parametrize("change", BROKEN)
def test_controls_that_can_not_be_read_are_refused(
    change: Callable[[dict[str, object]], object], tmp_path: Path
) -> None:
    varied = {"lines": [1, 2], "variants": ["a"], "outcomes": [["passed"]]}
    given: dict[str, object] = {"root": "/app", "packages": ["pytest"], "files": {"t.py": {"source": "", "expected": {}, "varied": {"test": varied}}}}  # fmt: skip
    path = tmp_path / "rlvr.json"
    path.write_text(json.dumps(given))
    assert read_controls(path).root == "/app"
    change(given)
    path.write_text(json.dumps(given))
    with pytest.raises(DataError, match=r"rlvr\.json"):
        read_controls(path)


def test_the_command_writes_tasks_and_says_why_others_make_none(
    repository: Path, mining: tuple[Path, str], tmp_path: Path, jails_with_pytest: None
) -> None:
    folder, printed = mining
    assert "1 tasks of 1 commits" in printed
    assert (folder / "tasks.jsonl").read_text().count("\n") == 1
    none = mined_by_command(repository, tmp_path, "--only", "README.py", "--env", "A=1")
    assert none.exit_code == 3
    assert mined_by_command(repository, tmp_path, "--env", "A").exit_code == 2


def test_packages_that_jails_lack_are_named(
    repository: Path, tmp_path: Path, jails_with_pytest: None
) -> None:
    with pytest.raises(SandboxError, match="no-such-package"):
        mine(repository, tmp_path / "out", packages=["no-such-package"])


def test_a_folder_without_a_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="git"):
        GitHistory(tmp_path)


def _write(source: str) -> str:
    return f"cat > shapes/rect.py <<'END_OF_FILE'\n{source}END_OF_FILE"


def _commands(message: str) -> list[str]:
    from rlvr.core.tool_calls import calls_of

    calls = calls_of({"role": "assistant", "content": message})
    return [json.loads(call.arguments)["command"] for call in calls if call.name == "shell"]
