"""Values that pages take as given, and stand-ins for those that can't be had here.

A page says `model`, `config`, `trainer` of the reader's own script; here they are real ones, small. A
model of the Hub is a Llama of a few thousand parameters, 200 steps are one.
"""

from __future__ import annotations

import copy
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rlvr
from tests.docs.fences import StandIns, in_languages

_STEP = "steps=1, batch=4, group=2, max_tokens=8,"

PYTHON: StandIns = {
    "docs/ppo.md": [
        ("Qwen/Qwen3-0.6B", "model"),
        ('output_dir="out", per_device_train_batch_size=64,',
         'output_dir="out", per_device_train_batch_size=2, max_steps=1, max_completion_length=8, '
         "use_cpu=True, bf16=False, report_to=[],"),
    ],
    "docs/trainers.md": [("limit=10_000", "limit=20")],
    "docs/training.md": [
        ("Qwen/Qwen3-1.7B", "model"),
        ("    steps=200,\n", f"    {_STEP}\n"),
        ('    vllm="colocate",\n', ""),
        ("limit=200", "limit=2"),
    ],
    "docs/verl.md": [("limit=5000", "limit=50")],
}  # fmt: skip

GIVEN = {
    "README.md": ("GRPOTrainer", "model", "config"),
    "docs/trainers.md": ("rlvr", "GRPOTrainer", "model", "config"),
    "docs/guards.md": ("trainer", "take_the_rollouts_since_the_last_call"),
    "docs/kl.md": ("rlvr", "GRPOTrainer", "model", "config", "env"),
    "docs/verl.md": ("rlvr",),
}
"""Names that the reader's own script has, by page."""

MODEL_NEEDED = {*GIVEN, "docs/ppo.md", "docs/training.md"} - {"docs/verl.md"}
"""Pages whose Python blocks need torch."""


def names(page: str, folder: Path) -> dict[str, Any]:
    """The values of a page's `GIVEN` names. The model lies in the working directory, as `model`."""
    wanted = GIVEN.get(page, ())
    made: dict[str, Any] = {"rlvr": rlvr, "take_the_rollouts_since_the_last_call": list}
    if set(wanted) & {"GRPOTrainer", "trainer"}:
        from trl import GRPOConfig, GRPOTrainer

        made["GRPOTrainer"], made["model"] = GRPOTrainer, "model"
        made["env"] = rlvr.make("arithmetic", level=1, size=64)
        made["config"] = GRPOConfig(
            output_dir=str(folder / "out"), use_cpu=True, bf16=False, max_steps=1, logging_steps=1,
            num_generations=2, per_device_train_batch_size=2, max_completion_length=8,
            report_to=[], save_strategy="no", disable_tqdm=True,
        )  # fmt: skip
    if "trainer" in wanted:
        env = made["env"]
        made["trainer"] = made["GRPOTrainer"](
            "model",
            args=made["config"],
            train_dataset=rlvr.trl.dataset(env),
            reward_funcs=rlvr.trl.reward(env),
        )
    return {name: made[name] for name in wanted}


def make_model(folder: Path) -> None:
    """A model of 17 thousand parameters, in bytes, with a chat template that has tools."""
    from transformers import LlamaConfig, LlamaForCausalLM

    from tests.policies.families import tokenizer_of

    tokenizer = copy.deepcopy(tokenizer_of("qwen3"))
    tokenizer.add_special_tokens({"pad_token": "<|endoftext|>"})
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=16_384,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    tokenizer.save_pretrained(folder)
    LlamaForCausalLM(config).save_pretrained(folder)


# ---------------------------------------------------------------------- files that commands read


def _lines(path: str, *rows: Any) -> None:
    Path(path).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _questions(data: Path) -> None:
    """`train.jsonl` holds one of GSM8K's test questions; `math500.jsonl` is an evaluation set."""
    with (data / "math/gsm8k_test.jsonl").open(encoding="utf-8") as lines:
        test = json.loads(next(lines))
    new = [{"question": f"Ann has {n} hats and buys {n + 3}. How many?"} for n in range(5, 25)]
    _lines("train.jsonl", test, *new)
    _lines("math500.jsonl", *({"problem": f"Find the sum of {n} cubes."} for n in range(50, 90)))


def _rows_to_split(data: Path) -> None:
    _questions(data)
    rows = [
        {"prompt": f"Is {n} prime?", "metadata": {"source": f"book {n % 7}", "level": n % 3}}
        for n in range(60)
    ]
    _lines("all.jsonl", *rows)


def _queries(name: str, data: Path) -> None:
    with (data / "sql/queries.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(next(lines)) for _ in range(2)]
    _lines(name, *rows)
    if not Path("databases").exists():
        Path("databases").symlink_to(data / "sql/databases", target_is_directory=True)


def _readme(data: Path) -> None:
    _questions(data)
    _queries("tasks.jsonl", data)
    shutil.copytree("model", "my-model")
    _lines("answers.jsonl", {"id": 1, "reference": "1/2", "response": "\\boxed{0.5}"})


def _kl(data: Path) -> None:
    _lines("prompts.jsonl", {"prompt": "Say something."}, {"prompt": "Count to five."})
    for twin in ("START", "later", "earlier"):
        shutil.copytree("model", twin)


def _problems(_: Path) -> None:
    _lines("rows.jsonl", *({"question": f"{n} + 7?", "answer": str(n + 7)} for n in range(30)))


def _synthesis(data: Path) -> None:
    """Write examples, critiques, and the guide's policies with those of the benchmark in one file."""
    from benchmarks.synthesis import make_inputs

    make_inputs(Path(), 0)
    block = in_languages("python")["docs/synthesis.md"][0].text.partition("\nexamples = ")[0]
    more = """
from pathlib import Path
from benchmarks.synthesis import Proposer, Solver as Answers, rows_in

def Problems():
    return Proposer(rows_in(Path("eval.jsonl")))
"""
    sys.modules.pop("writer", None)
    Path("writer.py").write_text(block + more)
    sums = [(n, n + 3) for n in range(30, 100)]
    _lines(
        "sums.jsonl",
        *(
            {"prompt": f"What is {a} + {b}? Use \\boxed{{}}.", "reference": str(a + b)}
            for a, b in sums
        ),
    )
    _lines(
        "critiques.jsonl",
        {
            "prompt": "What is 6 times 7?",
            "reference": "42",
            "response": "\\boxed{36}",
            "critique": "That is 6 times 6.",
            "rewrite": "\\boxed{42}",
        },
    )


def _commands(data: Path) -> None:
    _readme(data)
    _synthesis(data)
    Path("repository").mkdir()


def _repository(_: Path) -> None:
    Path("repository").mkdir()


def _anagram(data: Path) -> None:
    """Write the guide's first example as a file, as a reader does."""
    sys.modules.pop("anagram", None)
    Path("anagram.py").write_text(in_languages("python")["docs/authors.md"][0].text)


FILES: dict[str, Callable[[Path], None]] = {
    "docs/terminal.md": _repository,
    "README.md": _readme,
    "docs/commands.md": _commands,
    "docs/authors.md": _anagram,
    "docs/data.md": _rows_to_split,
    "docs/kl.md": _kl,
    "docs/new.md": _problems,
    "docs/sql.md": lambda data: _queries("queries.jsonl", data),
    "docs/synthesis.md": _synthesis,
}
"""Makes what a page's commands read, in the working directory; called with the data sets' folder."""
