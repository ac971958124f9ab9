"""Format `lm-eval`: results and samples as lm-evaluation-harness 0.4 writes them.

`OUT/MODEL/results_DATE.json` and, for each environment and part, `samples_NAME_DATE.jsonl` with a line a
task. The figures are the report's. The harness has no word for an unscored response, but it averages a
metric over the documents that name it: a task with nothing scored names no metric, and a mean over
all rollouts, where an unscored one counts 0, is reported as `reward_unscored_as_0`.

A standard error is that of a mean over rollouts, clustered by task (Miller 2024, arXiv 2411.00640);
with one sample a task it is the harness's own `mean_stderr`.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from array import array
from pathlib import Path
from typing import Any

import numpy as np

from rlvr.core.files import replacing
from rlvr.core.verdict import Scored, Status, Unscored
from rlvr.evaluation.exports.about import About
from rlvr.evaluation.exports.exported import Exported, file_part
from rlvr.evaluation.exports.measured import MeasuredPart, PartKey, key_of, measure, records_of
from rlvr.evaluation.exports.tables import json_line
from rlvr.runs.reading import Lines, Record, size_of
from rlvr.runs.rollouts import answer_of, text_of
from rlvr.runs.statistics import Floats, pass_at_k

_LOWER_IS_BETTER = ("truncated", "unparsable", "unscored")


def export_lm_eval(run: Path, out: Path, step: int | None = None) -> Exported:
    """Write results and samples of `run` below the folder `out`."""
    about, end = About.read(run), size_of(run)
    evaluations = measure(run, step, end)
    folder = out / file_part(about.model or about.policy)
    date = f"{about.began:%Y-%m-%dT%H-%M-%S.%f}"
    paths = [folder / f"results_{date}.json"]
    places = _places(run, step, end, evaluations)
    hashes = {}
    with Lines(run) as lines:
        for key, evaluation in evaluations.items():
            path = folder / f"samples_{_file_name(evaluation, evaluations)}_{date}.jsonl"
            digest = hashlib.sha256()
            with replacing(path) as file:
                for number, offsets in enumerate(places[key].values()):
                    line = _sample(number, [lines[offset] for offset in offsets], about)
                    digest.update("".join(line[f"{x}_hash"] for x in _HASHED).encode())
                    file.write(json_line(line))
            hashes[evaluation.name] = digest.hexdigest()
            paths.append(path)
    with replacing(paths[0]) as file:
        results = _results(list(evaluations.values()), about) | {"task_hashes": hashes}
        file.write(json.dumps(results, indent=2, ensure_ascii=False, allow_nan=False).encode())
    return Exported(paths, f"results of {len(evaluations)} tasks")


_HASHED = ("doc", "prompt", "target")


def _places(
    run: Path, step: int | None, end: int, evaluations: dict[PartKey, MeasuredPart]
) -> dict[PartKey, dict[str, array[int]]]:
    """Return the offsets of each task's rollouts."""
    places: dict[PartKey, dict[str, array[int]]] = {key: {} for key in evaluations}
    for record in records_of(run, step, end):
        of_part = places.get(key_of(record))
        if of_part is not None:
            of_part.setdefault(record.rollout.task.id, array("q")).append(record.offset)
    return places


def _results(evaluations: list[MeasuredPart], about: About) -> dict[str, Any]:
    figures = {evaluation.name: _figures(evaluation) for evaluation in evaluations}
    names = {
        evaluation.name: [
            key.partition(",")[0] for key in figures[evaluation.name] if "_stderr," not in key
        ]
        for evaluation in evaluations
    }
    parts: dict[str, list[str]] = {}
    for evaluation in evaluations:
        if evaluation.part is not None:
            parts.setdefault(evaluation.part, []).append(evaluation.name)
    model = about.model or about.policy
    seconds = (about.finished - about.began).total_seconds() if about.finished else None
    return {
        "results": {
            evaluation.name: {
                "name": evaluation.name,
                "alias": evaluation.name,
                "sample_len": evaluation.report.tasks,
                **figures[evaluation.name],
            }
            for evaluation in evaluations
        },
        "group_subtasks": parts,
        "configs": {
            evaluation.name: _config(evaluation, about, names[evaluation.name])
            for evaluation in evaluations
        },
        "versions": {evaluation.name: about.version for evaluation in evaluations},
        "n-shot": {
            evaluation.name: about.shots.get((evaluation.env, evaluation.part), 0)
            for evaluation in evaluations
        },
        "higher_is_better": {
            evaluation.name: {name: name not in _LOWER_IS_BETTER for name in names[evaluation.name]}
            for evaluation in evaluations
        },
        "n-samples": {
            evaluation.name: {
                "original": evaluation.report.tasks,
                "effective": evaluation.report.tasks,
            }
            for evaluation in evaluations
        },
        "config": {
            "model": "rlvr",
            "model_args": {"model": model},
            "batch_size": None,
            "batch_sizes": [],
            "device": None,
            "use_cache": None,
            "limit": None,
            "bootstrap_iters": 0,
            "gen_kwargs": _generation(about),
            "random_seed": about.sampling.get("seed"),
            "numpy_seed": None,
            "torch_seed": None,
            "fewshot_seed": None,
        },
        "git_hash": about.git.get("commit") if about.git else None,
        "date": about.began.timestamp(),
        "transformers_version": about.versions.get("transformers"),
        "rlvr_version": about.versions.get("rlvr"),
        "model_source": "rlvr",
        "model_name": model,
        "model_name_sanitized": re.sub(r'["<>:/|\\?*\[\]]+', "__", model),
        "system_instruction": None,
        "system_instruction_sha": None,
        "fewshot_as_multiturn": None,
        "chat_template": None,
        "chat_template_sha": None,
        "total_evaluation_time_seconds": None if seconds is None else str(seconds),
        "rlvr": {
            evaluation.name: evaluation.report.to_json() | {"step": evaluation.step}
            for evaluation in evaluations
        },
    }


def _config(evaluation: MeasuredPart, about: About, names: list[str]) -> dict[str, Any]:
    return {
        "task": evaluation.name,
        "dataset_path": evaluation.env,
        "output_type": "generate_until",
        "num_fewshot": about.shots.get((evaluation.env, evaluation.part), 0),
        "repeats": evaluation.k,
        "generation_kwargs": _generation(about),
        "metric_list": [
            {"metric": name, "higher_is_better": name not in _LOWER_IS_BETTER} for name in names
        ],
        "metadata": {"version": about.version, "part": evaluation.part, "step": evaluation.step},
    }


def _generation(about: About) -> dict[str, Any]:
    names = {"max_tokens": "max_gen_toks", "temperature": "temperature"}
    settings = {names[name]: value for name, value in about.sampling.items() if name in names}
    if "temperature" in settings:
        settings["do_sample"] = settings["temperature"] > 0
    return settings


def _figures(evaluation: MeasuredPart) -> dict[str, float | str]:
    """Return `metric,none` and `metric_stderr,none` of each metric that has a finite value."""
    report = evaluation.report
    reward_T, scored_T = evaluation.of_tasks("reward")
    solved_T, _ = evaluation.of_tasks("correct")
    samples_T = evaluation.tally.per_task()["samples"]
    figures: dict[str, tuple[float, float | None]] = {
        "exact_match": (report.correct.value, _stderr(solved_T, scored_T)),
        "reward": (report.mean.value, _stderr(reward_T, scored_T)),
        "reward_unscored_as_0": (report.mean_unscored_as_0.value, _stderr(reward_T, samples_T)),
    }
    for k, chance in enumerate(report.pass_at_k, 1):
        chances = pass_at_k(scored_T, solved_T, k)
        chances = chances[np.isfinite(chances)]
        figures[f"pass@{k}"] = (chance.value, _stderr(chances, np.ones(len(chances))))
    figures[f"maj@{evaluation.k}"] = (report.majority.value, None)
    figures |= {f"component_{name}": (v, None) for name, v in report.components.items()}
    figures["truncated"] = (report.truncated, None)
    figures["unparsable"] = (report.unparsable if report.scored else math.nan, None)
    figures["unscored"] = (1 - report.scored / report.rollouts, None)
    results: dict[str, float | str] = {}
    for name, (value, stderr) in figures.items():
        if math.isfinite(value):
            results[f"{name},none"] = value
            results[f"{name}_stderr,none"] = "N/A" if stderr is None else stderr
    return results


def _stderr(top_T: Floats, below_T: Floats) -> float | None:
    """Of a ratio of sums over tasks; None for fewer than two tasks."""
    there = below_T > 0
    top, below = top_T[there], below_T[there]
    tasks = len(top)
    if tasks < 2:
        return None
    off = top - below * (top.sum() / below.sum())
    return math.sqrt(float(off @ off) * tasks / (tasks - 1)) / float(below.sum())


def _sample(number: int, records: list[Record], about: About) -> dict[str, Any]:
    """Return the line of a task: its responses in order, and the mean of each metric over the scored ones."""
    records = sorted(records, key=lambda record: record.rollout.sample)
    task = records[0].rollout.task
    prompt, target = records[0].prompt, text_of(task.reference)
    doc = {"id": task.id, "prompt": prompt, "reference": target, "metadata": text_of(task.metadata)}
    responses = [record.response or "" for record in records]
    line: dict[str, Any] = {
        "doc_id": number,
        "doc": doc,
        "target": target,
        "arguments": {
            "gen_args_0": {
                "arg_0": json.dumps(
                    prompt, ensure_ascii=False
                ),  # as with a chat template applied later
                "arg_1": _generation(about),
            }
        },
        "resps": [responses],
        "filtered_resps": [responses],
        "filter": "none",
        "metrics": [],
        "doc_hash": _hash(json.dumps(doc, indent=2, ensure_ascii=False)),
        "prompt_hash": _hash(json.dumps(prompt, ensure_ascii=False)),
        "target_hash": _hash(target),
        "rollouts": [_rollout(record) for record in records],
    }
    scored = [r.rollout.verdict for r in records if isinstance(r.rollout.verdict, Scored)]
    if scored:
        line["metrics"] = ["exact_match", "reward"]
        correct = sum(verdict.status is Status.CORRECT for verdict in scored)
        line["exact_match"] = correct / len(scored)
        line["reward"] = sum(verdict.reward for verdict in scored) / len(scored)
    return line


def _rollout(record: Record) -> dict[str, Any]:
    verdict = record.rollout.verdict
    assert verdict is not None
    scored = verdict if isinstance(verdict, Scored) else None
    return {
        "sample": record.rollout.sample,
        "scored": scored is not None,
        "reward": scored.reward if scored else None,
        "status": str(scored.status) if scored else "unscored",
        "cause": str(verdict.cause) if isinstance(verdict, Unscored) else "",
        "answer": answer_of(verdict) or "",
        "stop": record.rollout.stop,
        "completion": record.completion,  # all turns, of which `resps` has the last
    }


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _file_name(evaluation: MeasuredPart, evaluations: dict[PartKey, MeasuredPart]) -> str:
    """Return a task's name as the harness writes it in file names, with a number if two would be equal."""
    plain = _plain(evaluation.name)
    twins = [other for other in evaluations.values() if _plain(other.name) == plain]
    return plain if len(twins) == 1 else f"{plain}_{twins.index(evaluation) + 1}"


def _plain(name: str) -> str:
    return file_part(re.sub(r"\W", "_", name))
