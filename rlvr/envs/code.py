r"""Any problems for programs that read standard input; by default a set from Codeforces.

It's the Codeforces part of `agentica-org/DeepCoder-Preview-Dataset` on the Hub. One of it, shortened::

    {"problem": "You are given two integers $x$ and $y$. Output two integers: the minimum …",
     "tests": [{"input": "10\n1 9\n8 4\n…", "output": "1 9\n4 8\n…"}]}

A row of one's own may also have `language`, `limits`, `checker`, `public` and `solution`, each as in
a reference (docs/code.md).
"""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from rlvr.core.environment import Environment
from rlvr.core.errors import CannotScore, DataError, DataWarning, OptionError
from rlvr.core.registry import environment
from rlvr.core.task import Task
from rlvr.core.tasks import TaskSet
from rlvr.envs.data import DataSource, Row
from rlvr.envs.fixtures import fixtures_of
from rlvr.envs.prompt import Prompt
from rlvr.envs.turns import SingleTurn
from rlvr.sandboxes.languages import language_of
from rlvr.verifiers.code import Code
from rlvr.verifiers.code.compare import KINDS
from rlvr.verifiers.code.reference import Reference
from rlvr.verifiers.code.verifier import Reward

CODEFORCES = DataSource(
    hub_id="agentica-org/DeepCoder-Preview-Dataset",
    config="codeforces",
    splits={"test": "test"},
    files={"test": "code/rllm_test_codeforces.json"},
    columns=("tests",),
)
_SPLITS = {"train": "train", "test": "test", "dev": "validation"}
PROMPT = Prompt(
    "{problem}\n\nWrite a program in {language} that reads standard input and writes to standard "
    "output. Answer with the whole program in a ```{language} block."
)
_PROBLEM = ("problem", "prompt", "question", "description")
_KEPT = ("difficulty", "level", "name", "source", "tags", "url")


@environment("code", gym_name="Code")
def make(
    split: str = "test",
    dataset: str | None = None,
    config: str | None = None,
    data: str | None = None,
    language: str = "python",
    public: int = 0,
    limits: Mapping[str, Any] | None = None,
    checker: str = "checker",
    reward: Reward = "all",
    prompt: Prompt | str | dict[str, str] = PROMPT,
) -> Environment:
    """Make problems for programs that read standard input and write standard output, from any data set.

    Args:
        split: test alone for the default data set; train, dev or test for another.
        dataset: an id on the Hub.
        config: the data set's configuration, where it has several.
        data: a local file instead.
        language: to be written in, where a row has no `language`.
        public: how many of a row's first tests are public, where the row doesn't say.
        limits: for each test, where a row has no `limits`.
        checker: the column that says how outputs are judged: a comparison's name or tolerances, a
            checker program, or its source in Python.
        reward: `all` or nothing, or the `fraction` of tests that pass.
        prompt: may use {problem} and {language}.
    """
    template = Prompt.of(prompt)
    source = source_of(split, dataset, config, data)
    verifier = Code(reward, language=language, limits=limits)

    def load() -> list[Task]:
        return list(tasks_of(source, split, data, template, verifier.language, public, checker))

    return SingleTurn(TaskSet(load, "code"), verifier, fixtures=fixtures_of("code"))


def source_of(split: str, dataset: str | None, config: str | None, data: str | None) -> DataSource:
    """Return the source of the rows. Raises `OptionError` for an unknown split."""
    source = CODEFORCES
    if dataset is not None or config is not None:
        source = DataSource(dataset or CODEFORCES.hub_id, config, _SPLITS, {}, ("tests",))
    elif data is not None and split not in CODEFORCES.splits:  # a file has the split one says
        source = DataSource("a local file", None, _SPLITS, CODEFORCES.files, ("tests",))
    source.check_split(split)
    return source


def tasks_of(
    source: DataSource,
    split: str,
    data: str | None,
    prompt: Prompt,
    language: str,
    public: int,
    checker: str = "checker",
) -> Iterator[Task]:
    """Make the tasks of a source. A row that can't be used is left out, with a `DataWarning`."""
    for number, row in enumerate(source.rows(split, data)):
        try:
            yield _task(f"{split}-{number}", row, prompt, language, public, checker)
        except (DataError, OptionError, CannotScore) as error:
            reason = error.message if isinstance(error, CannotScore) else str(error)
            message = f"Row {split}-{number} of {data or source.hub_id} is left out: {reason}"
            warnings.warn(message, DataWarning, stacklevel=2)


def _task(id: str, row: Row, prompt: Prompt, language: str, public: int, checker: str) -> Task:
    problem = next((row[name] for name in _PROBLEM if isinstance(row.get(name), str)), None)
    if problem is None:
        raise DataError(f"it has no problem, which is text under {' or '.join(_PROBLEM)}")
    tests = _tests(row["tests"])
    reference: dict[str, Any] = {
        "tests": tests,
        "language": language_of(row.get("language") or language).name,
        "public": min(public, len(tests)) if row.get("public") is None else row["public"],
    }
    if row.get(checker) is not None:
        reference["checker"] = _checker(row[checker])
    reference |= {key: row[key] for key in ("limits", "solution") if row.get(key) is not None}
    Reference.of(reference)
    fields = {"problem": problem.strip(), "language": reference["language"]}
    return Task(prompt.render(fields), reference, id, {k: row[k] for k in _KEPT if k in row})


def _tests(tests: Any) -> list[dict[str, Any]]:
    """Read tests from a list, from columns of inputs and outputs, or from either of them as text."""
    if isinstance(tests, str):
        tests = _literal(tests)
    if isinstance(tests, Mapping) and {"inputs", "outputs"} <= set(tests):
        if tests.get("fn_name"):
            raise DataError("its tests call a function, and don't give standard input")
        if len(tests["inputs"]) != len(tests["outputs"]):
            raise DataError(
                f"it has {len(tests['inputs'])} inputs and {len(tests['outputs'])} outputs"
            )
        pairs = zip(tests["inputs"], tests["outputs"], strict=True)
        tests = [{"stdin": stdin, "stdout": stdout} for stdin, stdout in pairs]
    if not isinstance(tests, list | tuple):
        raise DataError(f"its tests are a {type(tests).__name__}, not a list")
    for test in tests:
        kind = test.get("testtype") or test.get("type") if isinstance(test, Mapping) else None
        if isinstance(kind, str) and not kind.startswith("stdin"):
            raise DataError(
                f"its tests are of the type {kind!r:.40}, and don't give standard input"
            )
    return list(tests)


def _literal(text: str) -> Any:
    """Parse JSON or a Python literal."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise DataError("its tests are text that is neither JSON nor a Python literal") from error


def _checker(value: Any) -> Any:
    """Convert a column's value into a reference's "checker"."""
    if not isinstance(value, str) or value in KINDS:
        return value
    try:
        read = json.loads(value)
    except ValueError:
        return {"language": "python", "source": value}
    return read
