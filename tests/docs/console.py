"""The fate of each command line: run as it stands, run with a stand-in, or parsed alone, and then why."""

from __future__ import annotations

_TINY = "--steps 1 --batch 4 --group 2 --max-tokens 8 --held-out-limit 2 --trl use_cpu=true"
_GPU = "trains on a GPU, and its package isn't in this environment"

RUN_AS: dict[str, dict[str, str]] = {
    "README.md": {
        "rlvr train gsm8k --model Qwen/Qwen3-1.7B --vllm colocate --steps 200":
            f"rlvr train gsm8k --model model {_TINY} --run runs/train-…",
        "rlvr eval gsm8k --model ./my-model":
            "rlvr eval gsm8k --model ./my-model --limit 2 --max-tokens 8 --run runs/a",
        "rlvr eval gsm8k --model M --base-url http://…/v1 -k 8 --temperature 0.7":
            "rlvr eval gsm8k --split test --model adder --base-url URL -k 8 --temperature 0.7 "
            "--limit 4 --run runs/b",
        "rlvr view runs/eval-… runs/eval-…": "rlvr view runs/a runs/b --no-open",
    },
    "docs/commands.md": {
        "rlvr data synthesise gsm8k --from 70.jsonl -o made --count 1000 --model Qwen/Qwen3-32B "
        "--base-url http://localhost:8000/v1":
            "rlvr data synthesise gsm8k --from 70.jsonl -o made --count 5 --policy "
            "writer.py:Problems --solver writer.py:Answers",
        "rlvr eval gsm8k --split test --model ./my-model":
            "rlvr eval gsm8k --split test --policy oracle --limit 2 --run runs/a",
        "rlvr view runs/eval-…": "rlvr view runs/b --no-open",
        "rlvr export runs/eval-… --to inspect": "rlvr export runs/b --to inspect",
        "rlvr data neighbours tasks.jsonl -o more":
            "rlvr data neighbours tasks.jsonl -o more --databases databases --workers 1",
    },
    "docs/data.md": {
        "rlvr eval gsm8k --model Qwen/Qwen3-4B --base-url http://localhost:8000/v1 -k 8 "
        "--temperature 1 --run runs/pass":
            "rlvr eval gsm8k --model adder --base-url URL -k 8 --temperature 1 --run runs/pass "
            "--limit 40",
        "rlvr eval math --model ./my-model --run runs/math":
            "rlvr eval math --policy random --limit 100 --run runs/math",
        "rlvr train --config mixture.toml --model ./my-model":
            f"rlvr train --config mixture.toml --model model {_TINY} --run runs/weakest",
    },
    "docs/evaluators.md": {
        "rlvr eval gsm8k --env prompt=gsm8k_cot --model my-base-model --template plain "
        "--max-tokens 256":
            "rlvr eval gsm8k --env prompt=gsm8k_cot --env shots=1 --model model --template plain "
            "--max-tokens 4 --limit 2",
    },
    "docs/kl.md": {
        "rlvr eval gsm8k --model START -k 32 --temperature 1 --run runs/start":
            "rlvr eval gsm8k --model START -k 4 --temperature 1 --run runs/start --limit 2 "
            "--max-tokens 8",
        "rlvr kl runs/mine --measure":
            "rlvr kl runs/mine --measure --prompts prompts.jsonl --samples 1 --max-new-tokens 4",
        "rlvr kl runs/mine --measure --prompts prompts.jsonl --samples 4 --max-new-tokens 256 "
        "--temperature 1 --seed 0":
            "rlvr kl runs/mine --measure --prompts prompts.jsonl --samples 4 --max-new-tokens 4 "
            "--temperature 1 --seed 0",
        "rlvr kl runs/mine --model ./later --reference ./earlier":
            "rlvr kl runs/mine --model ./later --reference ./earlier --prompts prompts.jsonl "
            "--samples 1 --max-new-tokens 4",
    },
    "docs/openrlhf.md": {
        "rlvr data openrlhf gsm8k -o data": "rlvr data openrlhf gsm8k -o data --limit 50",
    },
    "docs/recipes.md": {"rlvr view runs/gsm8k": "rlvr view runs/gsm8k --no-open"},
    "docs/sql.md": {
        "rlvr data neighbours queries.jsonl -o neighbours --databases databases -n 10 --seed 0":
            "rlvr data neighbours queries.jsonl -o neighbours --databases databases -n 10 --seed 0 "
            "--workers 1",
    },
    "docs/synthesis.md": {
        "rlvr data synthesise gsm8k --from 70.jsonl -o made --count 1000 --personas 50 --model "
        "Qwen/Qwen3-32B --base-url http://localhost:8000/v1 --against gsm8k:test":
            "rlvr data synthesise gsm8k --from 70.jsonl -o made --count 5 --personas 2 --policy "
            "writer.py:Problems --solver writer.py:Answers --against gsm8k:test",
    },
    "docs/training.md": {
        "rlvr train gsm8k --model Qwen/Qwen3-1.7B --vllm colocate --steps 200 --run runs/mine":
            f"rlvr train gsm8k --model model {_TINY} --run runs/mine",
        "rlvr view runs/mine": "rlvr view runs/mine --no-open",
    },
    "docs/verl.md": {
        "rlvr data verl gsm8k -o data": "rlvr data verl gsm8k -o data --limit 50",
    },
}  # fmt: skip
"""By page: a command, and what is run in its place. `URL` is the stub server's. Both are parsed."""

BEFORE: dict[str, list[str]] = {
    "docs/kl.md": [
        f"rlvr train gsm8k --model model {_TINY} --run runs/mine",
        "cp -r runs/mine runs/other",
    ],
    "docs/commands.md": ["rlvr eval gsm8k --split test --policy oracle --limit 2 --run runs/b"],
    "docs/recipes.md": ["rlvr eval arithmetic --policy oracle --limit 2 --run runs/gsm8k"],
}
"""What a page's reader has done before."""

_TESTED = "takes minutes, and {} runs it"
_VERL = ("python -m verl.trainer.main_ppo --config-dir recipes/verl --config-name grpo "
         "actor_rollout_ref.model.path=")  # fmt: skip

ONLY_PARSED: dict[str, str] = {
    "make quickstart": _TESTED.format("tests/training/test_quickstart.py"),
    "make test": "it's what runs this",
    "make test-all": "it's what runs this",
    "make fuzz SECONDS=1800 SEED=7 ANSWERS=1000000": "takes an hour, and tests/fuzz runs a short one",
    "make test-changed": _TESTED.format("tests/test_changed.py"),
    "pip install '.[train]'": "what is installed is what's tested",
    "pip install 'rlvr[train,vllm]'": "gigabytes, and this environment has the CPU's build",
    "rlvr quickstart": _TESTED.format("tests/training/test_quickstart.py"),
    "rlvr quickstart --seed 0 --run runs/quickstart":
        _TESTED.format("tests/training/test_quickstart.py"),
    "rlvr view runs/quickstart-…": "of a run that isn't made here; docs/training.md's view is run",
    "rlvr view runs/quickstart": "of a run that isn't made here; this page's other view is run",
    "rlvr bench": _TESTED.format("tests/cli/test_bench.py"),
    "rlvr bench math pool": _TESTED.format("tests/cli/test_bench.py"),
    "rlvr data mine repository -o tasks": _TESTED.format("tests/envs/terminal/test_controls.py"),
    "rlvr data mine repository -o tasks --packages pytest,numpy --most 20":
        _TESTED.format("tests/envs/terminal/test_controls.py"),
    "rlvr eval terminal --data tasks --model ./my-model": "of tasks that were mined before",
    "rlvr eval support --env level=3 --env 'user={\"model\": \"Qwen/Qwen3-4B\", \"base_url\": "
    "\"http://localhost:8000/v1\"}' --model M --base-url http://localhost:8001/v1":
        "its two models are servers; tests/envs/support plays other users",
    "rlvr sandbox build": _TESTED.format("tests/sandboxes/test_image.py"),
    "rlvr sandbox build --packages numpy,pandas": _TESTED.format("tests/sandboxes/test_packages.py"),
    "rlvr sandbox build --backend bubblewrap --packages ''": "it would be other tests' packages, too",
    "rlvr sandbox build --from-host": _TESTED.format("tests/sandboxes/test_image.py"),
    "rlvr sandbox check": _TESTED.format("tests/sandboxes/test_hostile_list.py"),
    "python recipes/code_grpo.py --smoke": _TESTED.format("tests/recipes/test_recipes.py"),
    "python recipes/gsm8k_grpo.py --run runs/gsm8k": _GPU,
    "python recipes/gsm8k_grpo.py --run runs/gsm8k --resume": _GPU,
    "accelerate launch --num_processes 8 recipes/gsm8k_grpo.py --run runs/gsm8k": _GPU,
    _VERL + "Qwen/Qwen2.5-1.5B-Instruct trainer.n_gpus_per_node=1": _GPU,
    "recipes/openrlhf/grpo.sh Qwen/Qwen2.5-1.5B-Instruct data/train.jsonl": _GPU,
    "recipes/openrlhf/ppo.sh Qwen/Qwen2.5-1.5B-Instruct data/train.jsonl": _GPU,
}  # fmt: skip
"""Commands that are parsed and not run, and why."""
