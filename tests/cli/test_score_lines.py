"""`rlvr score`: one line out for each line in, in order, whatever is in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias

CommandLine: TypeAlias = Any  # the fixture of tests/conftest.py

GOOD = {"id": "a", "reference": "4", "response": "So \\boxed{4}."}
WRONG = {"id": "b", "reference": "4", "response": "So \\boxed{5}."}
SYMBOLIC = {"id": "c", "reference": "x+1", "response": "\\boxed{1+x}"}


def write(path: Path, lines: list[Any]) -> Path:
    whole = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in lines]
    path.write_bytes(b"".join(one + b"\n" for one in whole))
    return path


def verdicts(text: str) -> list[dict[str, Any]]:
    """Strictly: Python's reader alone takes NaN."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


def test_a_line_out_is_what_the_seam_says(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    file = write(tmp_path / "in.jsonl", [GOOD, WRONG, SYMBOLIC])
    done = rlvr_cli("score", "math", file)
    assert done.returncode == 0
    found = verdicts(done.stdout)
    assert found[1].pop("feedback").startswith("'5' is not '4'")
    assert found == [
        {
            "id": "a",
            "scored": True,
            "reward": 1.0,
            "status": "correct",
            "components": {"math": 1.0},
            "feedback": "",
        },
        {
            "id": "b",
            "scored": True,
            "reward": 0.0,
            "status": "incorrect",
            "components": {"math": 0.0},
        },
        {
            "id": "c",
            "scored": True,
            "reward": 1.0,
            "status": "correct",
            "components": {"math": 1.0},
            "feedback": "",
        },
    ]
    assert "3 scored, mean reward 0.6667, 0 unscored" in done.stderr


def test_an_unscored_line_has_a_cause_and_no_reward(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    file = write(tmp_path / "in.jsonl", [GOOD, GOOD | {"id": "b", "reference": None}])
    done = rlvr_cli("score", "math", file)
    assert done.returncode == 3
    first, second = verdicts(done.stdout)
    assert first["scored"]
    assert set(second) == {"id", "scored", "cause", "message"}
    assert (second["id"], second["scored"], second["cause"]) == ("b", False, "gold")
    assert "1 unscored" in done.stderr


def test_order_is_kept_where_some_lines_take_longer(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    lines = []
    for i in range(2500):
        hard = i % 50 == 0
        reference, answer = ("x+1", "1+x") if hard else (str(i), str(i))
        lines.append({"id": i, "reference": reference, "response": f"\\boxed{{{answer}}}"})
    done = rlvr_cli("score", "math", write(tmp_path / "in.jsonl", lines))
    assert done.returncode == 0
    found = verdicts(done.stdout)
    assert [line["id"] for line in found] == list(range(2500))
    assert all(line["reward"] == 1.0 for line in found)


MALFORMED: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"{", "not JSON"),
    "text": (b"hello", "not JSON"),
    "two values": (b"{} {}", "not JSON"),
    "a list": (b"[1]", "not a JSON object but list"),
    "a string": (b'"x"', "not a JSON object but str"),
    "null": (b"null", "not a JSON object"),
    "an empty object": (b"{}", 'no "reference"; there is: nothing'),
    "no response": (b'{"reference": "4"}', 'no "response"; there is: reference'),
    "no reference": (b'{"response": "4"}', 'no "reference"; there is: response'),
    "a response of null": (b'{"reference": "4", "response": null}', '"response" is not a string'),
    "a response of 4": (b'{"reference": "4", "response": 4}', "not a string but int"),
    "options of 4": (b'{"reference": "4", "response": "4", "options": 4}', '"options" is not'),
    "options of 0": (b'{"reference": "4", "response": "4", "options": 0}', '"options" is not'),
    "options in a list": (b'{"reference": "4", "response": "4", "options": []}', '"options" is not'),
    "a prompt of 5": (b'{"reference": "4", "response": "4", "prompt": 5}', "A prompt is a string"),
    "a prompt of false": (b'{"reference": "4", "response": "4", "prompt": false}', "A prompt is"),
    "a prompt of nothing": (b'{"reference": "4", "response": "4", "prompt": []}', "at least one"),
    "invalid UTF-8": (b'{"reference": "4", "response": "\xff"}', "UTF-8"),
    "UTF-16": ('{"reference": "4", "response": "4"}'.encode("utf-16"), "UTF-8"),
    "a raw NUL": (b'{"reference": "4", "response": "\x00"}', "not JSON"),
    "empty": (b"", "empty"),
    "blanks": (b" \t ", "empty"),
    "a carriage return": (b"\r", "empty"),
    "5000 digits": (b'{"reference": ' + b"9" * 5000 + b', "response": "4"}', "digits"),
    "NaN": (b'{"id": NaN, "reference": "4", "response": "4"}', "NaN is no JSON number"),
    "a number past all floats": (b'{"id": 1e999, "reference": "4", "response": "4"}', "1e999"),
    "deep nesting": (b'{"reference": ' + b"[" * 100_000, "nested too deeply"),
    "deep options": (
        b'{"reference": "4", "response": "4", "options": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001,
        "nested too deeply",
    ),
    "an unknown option": (
        b'{"reference": "4", "response": "4", "options": {"speed": 1}}',
        "no option 'speed'. Its options are: mode, ",
    ),
    "an option called self": (
        b'{"reference": "4", "response": "4", "options": {"self": 1}}',
        "no option 'self'",
    ),
    "an option's wrong value": (
        b'{"reference": "4", "response": "4", "options": {"mode": "box"}}',
        "mode is one of boxed, flexible, minerva, whole",
    ),
    "an option's wrong type": (
        b'{"reference": "4", "response": "4", "options": {"mode": ["boxed"]}}',
        "mode is one of",
    ),
}  # fmt: skip


def test_every_malformed_line_is_named_and_the_rest_is_scored(
    rlvr_cli: CommandLine, tmp_path: Path
) -> None:
    # One process for all: each malformed line stands between two good ones.
    lines = [part for bad, _ in MALFORMED.values() for part in (GOOD, bad, SYMBOLIC)]
    done = rlvr_cli("score", "math", write(tmp_path / "in.jsonl", lines))
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    found = verdicts(done.stdout)
    assert len(found) == len(lines)
    for number, (name, (_, says)) in enumerate(MALFORMED.items()):
        before, bad, after = found[3 * number : 3 * number + 3]
        assert before["reward"] == after["reward"] == 1.0
        assert (bad["scored"], bad["cause"]) == (False, "input"), name
        assert bad["message"].startswith(f"line {3 * number + 2}: "), name
        assert says in bad["message"], name
        assert len(bad["message"]) < 1000, name


def test_a_malformed_line_keeps_its_id_where_it_has_one(
    rlvr_cli: CommandLine, tmp_path: Path
) -> None:
    file = write(tmp_path / "in.jsonl", [{"id": ["x", 7], "reference": "4"}, {"response": "4"}])
    done = rlvr_cli("score", "math", file)
    assert [line["id"] for line in verdicts(done.stdout)] == [["x", 7], None]


def test_odd_text_is_judged_like_any_other(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    odd = [
        GOOD | {"response": "\ud800 \\boxed{4}"},
        GOOD | {"response": "\x00 \\boxed{4}\x00"},
        GOOD | {"response": "\u2028\u2029\x85 \\boxed{4}"},
        GOOD | {"response": "答案 \\boxed{4} 🎉", "id": "数\ud800"},
        GOOD | {"response": "x" * 5_000_000 + "\\boxed{4}"},
        GOOD | {"response": "\\boxed{" + "(" * 100_000 + "4" + ")" * 100_000 + "}"},
        GOOD | {"response": "\\boxed{" + "9" * 5000 + "}"},
        GOOD | {"response": "\\boxed{\ud800}"},
        GOOD | {"response": "\\boxed{4" + "\x00" * 100 + "}"},
    ]
    done = rlvr_cli("score", "math", write(tmp_path / "in.jsonl", odd))
    found = verdicts(done.stdout)
    assert done.returncode == 0
    assert len(found) == len(odd)
    assert [line["reward"] for line in found[:5]] == [1.0] * 5
    assert [line["reward"] for line in found[6:8]] == [0.0, 0.0]
    assert found[3]["id"] == "数\ud800"


def test_options_of_a_line_are_that_lines_alone(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    bare = {"reference": "4", "response": "The answer is 4."}
    lines = [bare, bare | {"options": {"mode": "flexible"}}, bare, bare | {"options": None}]
    file = write(tmp_path / "in.jsonl", lines)
    rewards = [line["reward"] for line in verdicts(rlvr_cli("score", "math", file).stdout)]
    assert rewards == [0.0, 1.0, 0.0, 0.0]
    done = rlvr_cli("score", "math", file, "--option", "mode=flexible")
    assert [line["reward"] for line in verdicts(done.stdout)] == [1.0] * 4
    done = rlvr_cli("score", "math", file, "--option", "mode=flexibel")
    assert done.returncode == 2
    assert "mode is one of boxed, flexible, minerva, whole, not 'flexibel'" in done.stderr


def test_many_different_options_are_each_applied(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    lines = [
        {
            "id": i,
            "reference": "42",
            "response": "\\boxed{6*7}",
            "options": {"unevaluated": i % 2 == 0, "mode": ("boxed", "flexible")[i % 3 % 2]},
        }
        for i in range(60)
    ]
    done = rlvr_cli("score", "math", write(tmp_path / "in.jsonl", lines))
    assert [line["reward"] for line in verdicts(done.stdout)] == [1.0, 0.0] * 30


def test_an_environment_judges_as_a_kind_does(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    file = write(tmp_path / "in.jsonl", [GOOD, WRONG])
    done = rlvr_cli("score", "gsm8k", file, environ={"RLVR_DATA": str(tmp_path)})
    assert done.returncode == 0
    assert [line["reward"] for line in verdicts(done.stdout)] == [1.0, 0.0]


def test_all_labelled_gsm8k_solutions_agree_with_their_label(
    rlvr_cli: CommandLine, tmp_path: Path, data: Path
) -> None:
    labels, lines = [], []
    solutions = data / "math" / "gsm8k_example_model_solutions.jsonl"
    for row in solutions.read_text(encoding="utf-8").split("\n")[:-1]:
        solved = json.loads(row)
        reference = solved["ground_truth"].rpartition("A:")[2].strip()
        for model, given in solved.items():
            if isinstance(given, dict):
                lines.append(
                    {
                        "id": f"{len(lines)} {model}",
                        "prompt": solved["question"],
                        "reference": reference,
                        "response": given["solution"],
                        "options": {"mode": "flexible"},
                    }
                )
                labels.append(given["is_correct"])
    assert len(labels) == 5276
    out = tmp_path / "out.jsonl"
    done = rlvr_cli("score", "math", write(tmp_path / "in.jsonl", lines), "-o", out)
    assert done.returncode == 0
    assert done.stdout == ""
    found = verdicts(out.read_text(encoding="utf-8"))
    assert [line["id"] for line in found] == [line["id"] for line in lines]
    wrong = [
        line["id"]
        for line, label in zip(found, labels, strict=True)
        if line["reward"] != float(label)
    ]
    assert wrong == []


def test_a_byte_order_mark_costs_no_line(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    line = json.dumps({"id": 1, "reference": "2", "response": "\\boxed{2}"})
    (tmp_path / "in.jsonl").write_text(line + "\n", encoding="utf-8-sig")
    done = rlvr_cli("score", "math", "in.jsonl")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["reward"] == 1.0
    row = json.dumps({"question": "1 + 1?", "answer": "#### 2"})
    (tmp_path / "rows.jsonl").write_text(row + "\n", encoding="utf-8-sig")
    run = rlvr_cli("eval", "gsm8k", "--data", "rows.jsonl", "--policy", "oracle", "--run", "run")
    assert "1 scored, 0 unscored of 1" in run.stdout
