from __future__ import annotations

import json
from pathlib import Path

import pytest

import rlvr
from rlvr.core.errors import DataError, DataWarning, OptionError

ROW = {"question": "How many?", "answer": "Add them: 1,000 + 234.\n#### 1,234"}


def write(path: Path, *lines: object) -> str:
    path.write_text(
        "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
    )
    return str(path)


@pytest.mark.parametrize(("split", "count"), [("train", 7473), ("test", 1319)])
def test_the_whole_data_set(
    data: Path, monkeypatch: pytest.MonkeyPatch, split: str, count: int
) -> None:
    monkeypatch.setenv("RLVR_DATA", str(data))
    env = rlvr.make("gsm8k", split=split)
    assert len(env.tasks) == count
    assert all(task.reference.lstrip("-").replace(".", "", 1).isdigit() for task in env.tasks)
    responses = [env.verifier.demonstrate(task) or "" for task in env.tasks]
    verdicts = rlvr.score(env.tasks, responses, env.verifier)
    assert {float(verdict) for verdict in verdicts} == {1.0}
    wrong = rlvr.score(env.tasks, responses[1:] + responses[:1], env.verifier)
    same = sum(
        task.reference == other.reference
        for task, other in zip(env.tasks, [*env.tasks[1:], env.tasks[0]], strict=True)
    )
    assert sum(map(float, wrong)) == same


def test_the_first_task(data: Path) -> None:
    task = rlvr.make("gsm8k", data=str(data)).tasks[0]
    assert task.id == "train-0"
    assert task.reference == "72"
    assert task.text.startswith("Natalia sold clips to 48 of her friends in April")
    assert task.text.endswith("Reason step by step, and put the final number in \\boxed{}.")
    assert task.metadata["solution"].endswith("72 clips altogether in April and May.")


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    file = write(tmp_path / "mine.jsonl", ROW, "", ROW | {"question": "And now?", "more": 1})
    tasks = rlvr.make("gsm8k", data=file).tasks
    assert [task.reference for task in tasks] == ["1234", "1234"]
    assert [task.id for task in tasks] == ["train-0", "train-1"]
    assert tasks[0].metadata == {"solution": "Add them: 1,000 + 234."}


def test_no_template_shows_the_solution(tmp_path: Path) -> None:
    file = write(tmp_path / "mine.jsonl", ROW)
    boxed = "{question} Put it in \\boxed{answer}."
    assert rlvr.make("gsm8k", data=file, prompt=boxed).tasks[0].text == (
        "How many? Put it in \\boxed{answer}."
    )
    with pytest.raises(OptionError, match="a problem here has only: question"):
        len(rlvr.make("gsm8k", data=file, prompt="{question} {answer}").tasks)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([ROW, {"question": "x"}], "Row 2 of .*has no column 'answer'. It has: question. It needs: question, answer"),
        ([ROW | {"answer": "12"}], "row 0 .train. has no '####'"),
        ([], "no rows in"),
        (["", " "], "no rows in"),
    ],
)  # fmt: skip
def test_a_bad_file_names_what_is_wrong_and_where(
    tmp_path: Path, lines: list[object], says: str
) -> None:
    env = rlvr.make("gsm8k", data=write(tmp_path / "bad.jsonl", *lines))
    with pytest.raises(DataError, match=says):
        len(env.tasks)


def test_a_line_that_is_not_utf8_has_its_number(tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_bytes(json.dumps(ROW).encode() + b"\n\xff\xfe\n")
    with pytest.warns(DataWarning, match=r"Line 2 of .*UTF-8"):
        assert len(rlvr.make("gsm8k", data=str(file)).tasks) == 1


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("{", "Line 2 of .*is not JSON"),
        ("[1]", "Line 2 of .*is not a JSON object"),
        ("[" * 100_000, "Line 2 of .*is not JSON"),
    ],
)
def test_a_malformed_line_is_named_and_not_fatal(tmp_path: Path, bad: str, says: str) -> None:
    file = write(tmp_path / "mine.jsonl", ROW, bad, ROW)
    with pytest.warns(DataWarning, match=says):
        assert len(rlvr.make("gsm8k", data=file).tasks) == 2


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no file '.*nowhere\.jsonl'"):
        len(rlvr.make("gsm8k", data=str(tmp_path / "nowhere.jsonl")).tasks)
    with pytest.raises(DataError, match=r"no file '.*gsm8k_test\.jsonl'"):
        len(rlvr.make("gsm8k", split="test", data=str(tmp_path)).tasks)


def test_an_unknown_split_names_those_there_are() -> None:
    with pytest.raises(OptionError, match="has the splits train, test, not 'dev'"):
        rlvr.make("gsm8k", split="dev")


def test_the_verifier_alone_reads_no_data(tmp_path: Path) -> None:
    env = rlvr.make("gsm8k", data=str(tmp_path / "nowhere.jsonl"))
    (verdict,) = rlvr.score([rlvr.Task("", "4")], ["\\boxed{4}"], env.verifier)
    assert float(verdict) == 1.0


@pytest.mark.parametrize("suffix", [".json", ".parquet"])
def test_other_formats(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"mine{suffix}"
    if suffix == ".json":
        file.write_text(json.dumps([ROW, ROW]))
    else:
        pyarrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(pyarrow.Table.from_pylist([ROW, ROW]), file)
    assert [t.reference for t in rlvr.make("gsm8k", data=str(file)).tasks] == ["1234", "1234"]


def test_columns_of_rows(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text(
        json.dumps({"question": {"0": "a", "1": "b"}, "answer": {"0": "#### 1", "1": "#### 2"}})
    )
    assert [t.reference for t in rlvr.make("gsm8k", data=str(file)).tasks] == ["1", "2"]


@pytest.mark.parametrize("name", ["mine.json", "mine.parquet"])
def test_a_file_of_another_format_than_its_name_says(tmp_path: Path, name: str) -> None:
    file = write(tmp_path / name, "no such thing")
    with pytest.raises(DataError, match=r"mine.*can't be read"):
        len(rlvr.make("gsm8k", data=file).tasks)
