"""Rows that carry their environment: written in one process, judged in another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import rlvr
from rlvr.adapters.row import TrainerRow, rows
from rlvr.core.errors import DataError, DataWarning, OptionError

HERE = Path(__file__).parent


def test_a_row_makes_its_environment_again() -> None:
    env = rlvr.make("test_guess", max_turns=5)
    ((_, task, text), *_) = rows(env, limit=1)
    row = TrainerRow.read(text)
    assert row.task == task == env.tasks[0]
    assert (row.env.name, row.env.max_turns) == ("test_guess", 5)
    assert row.components == ("picky",)
    assert TrainerRow.read(text).env is row.env  # once a process


def test_a_mixture_reports_the_components_of_all() -> None:
    several = [rlvr.make("test_sums"), rlvr.make("arithmetic")]
    found = [TrainerRow.read(text) for _, _, text in rows(several, limit=2)]
    assert [one.env.name for one in found] == ["test_sums"] * 2 + ["arithmetic"] * 2
    assert {one.components for one in found} == {("math", "picky", "short")}
    assert [one.own_components for one in found[1:3]] == [{"picky", "short"}, {"math"}]


READ = (
    "import sys; from rlvr.adapters.row import TrainerRow\n"
    "print(TrainerRow.read(sys.stdin.read()).env.name)"
)


def elsewhere(
    text: str, folder: Path, code: str = READ, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Read rows in another process."""
    env = {n: v for n, v in os.environ.items() if n != "RLVR_ENVIRONMENTS"} | variables
    return subprocess.run(
        [sys.executable, "-c", code],
        input=text,
        capture_output=True,
        text=True,
        cwd=folder,
        env=env,
    )


def test_another_process_imports_the_module_that_its_user_names() -> None:
    with pytest.warns(DataWarning, match="set RLVR_ENVIRONMENTS=rows_used where the trainer runs"):
        ((_, _, text),) = rows(rlvr.make("test_sums"), limit=1)
    assert elsewhere(text, HERE, RLVR_ENVIRONMENTS="rows_used").stdout == "test_sums\n"
    assert "isn't registered here" in elsewhere(text, HERE).stderr


READ_EACH = """
import sys
from rlvr.adapters.row import TrainerRow
for text in sys.stdin:
    try:
        print(TrainerRow.read(text).env.name)
    except Exception as error:
        print(f"{type(error).__name__}: {error}".replace("\\n", " "))
"""


def test_a_row_names_no_module(tmp_path: Path) -> None:
    (tmp_path / "innocent.py").write_text("open('ran', 'w')")
    row = {"task": {"prompt": "q", "reference": "1"}, "module": "innocent", "options": {}}
    names = ("absent", "innocent:make", "innocent", "reasoning_gym/innocent", "../innocent",
             "arithmetic")  # fmt: skip
    # In an older row of a built-in environment the module isn't needed.
    texts = [json.dumps(row | {"env": name, "components": []}) + "\n" for name in names]
    done = elsewhere("".join(texts), tmp_path, READ_EACH)
    *errors, name = done.stdout.splitlines()
    assert all("Error: " in error for error in errors), done
    assert len(errors) == 5
    assert "set RLVR_ENVIRONMENTS=innocent if you know that module" in errors[0]
    assert name == "arithmetic"
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def takes_files() -> list[object]:
    """Return the option `words` that an author's environment was made with."""
    given: list[object] = []

    @rlvr.environment("test_words")
    def make_words(words: object = None) -> rlvr.Environment:
        given.append(words)
        return rlvr.SingleTurn(rlvr.TaskSet([rlvr.Task("1", "1")]), rlvr.Math())

    return given


@pytest.mark.parametrize("form", ["/etc/passwd", "~/.bashrc", "../{}", "{}", ["{}"], {"a": "{}"}, "/tmp/new",
                                  "http://evil.example/v1", "file:///etc/passwd"])  # fmt: skip
def test_a_row_opens_no_file_and_asks_no_server(
    form: object, takes_files: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "words.txt").touch()
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below" if "../" in form else tmp_path)
    words = json.loads(json.dumps(form).replace("{}", "words.txt"))
    row = {"task": {"prompt": "q", "reference": "1"}, "env": "test_words", "components": []}
    with pytest.raises(DataError, match=r"data may name no (file|server)"):
        TrainerRow.read(json.dumps(row | {"options": {"words": words}}))
    assert takes_files == []


def test_a_row_may_name_files_where_the_user_says_so(
    takes_files: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "words.txt").touch()
    (tmp_path / "test").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RLVR_ROW_FILES", str(tmp_path))
    row = {"task": {"prompt": "q", "reference": "1"}, "env": "test_words", "components": []}
    fine = [
        "words.txt",
        str(tmp_path / "words.txt"),
        "test",
        "/no_think {question}",
        "0.5",
        3,
        None,
    ]
    for words in fine:
        TrainerRow.read(json.dumps(row | {"options": {"words": words}}))
    assert takes_files == fine
    with pytest.raises(DataError, match="no file"):
        TrainerRow.read(json.dumps(row | {"options": {"words": str(tmp_path / ".." / "x")}}))


def test_a_row_of_a_built_in_environment_opens_none_of_its_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "rows.jsonl")  # who opens it waits for ever
    row = {"task": {"prompt": "q", "reference": "1"}, "env": "math", "components": ["math"]}
    text = json.dumps(row | {"options": {"data": str(tmp_path / "rows.jsonl")}})
    assert TrainerRow.read(text).env.name == "math"


def test_a_key_is_not_written_into_rows() -> None:
    @rlvr.environment("test_keyed")
    def make_keyed(api_key: str = "") -> rlvr.Environment:
        return rlvr.SingleTurn(rlvr.TaskSet([rlvr.Task("1", "1")]), rlvr.Math())

    with pytest.raises(OptionError, match=r"'api_key' .* would be written into each row"):
        rows(rlvr.make("test_keyed", api_key="sk-1"))


def test_what_cannot_be_made_again_is_refused_when_it_is_written() -> None:
    loose = rlvr.SingleTurn(rlvr.TaskSet([rlvr.Task("1+1=", "2")]), rlvr.Math())
    with pytest.raises(OptionError, match=r"register its factory with @rlvr.environment"):
        rows(loose)
    prompt = rlvr.Prompt("{question}")
    with pytest.raises(OptionError, match="must be plain data"):
        rows(rlvr.make("gsm8k", prompt=prompt))


def test_an_environment_of_the_script_that_runs_is_refused() -> None:
    code = (
        "import rlvr\nfrom rlvr.adapters.row import rows\n"
        "@rlvr.environment('mine')\n"
        "def mine():\n"
        "    '''Mine.'''\n"
        "    return rlvr.SingleTurn(rlvr.TaskSet([rlvr.Task('1', '1')]), rlvr.Math())\n"
        "rows(rlvr.make('mine'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "move it into a module of its own" in done.stderr


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_that_is_none_is_refused(limit: int) -> None:
    with pytest.raises(OptionError, match=f"limit is at least 1, not {limit}"):
        rows(rlvr.make("test_sums"), limit)


def test_a_million_tasks_need_a_limit_and_none_need_an_environment() -> None:
    with pytest.raises(OptionError, match="1000000 tasks: say how many"):
        rows(rlvr.make("arithmetic"))
    with pytest.raises(OptionError, match="no environment"):
        rows([])


@pytest.mark.parametrize(
    "text",
    ["", "42", "null", "[]", "{}", "72", json.dumps({"task": {"prompt": "x", "reference": "y"}})],
)
def test_another_dataset_than_ours_says_how_to_make_one(text: str) -> None:
    with pytest.raises(DataError, match="rlvr data verl"):
        TrainerRow.read(text)
