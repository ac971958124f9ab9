"""Format `inspect`: logs that inspect_ai reads (`read_eval_log`, `inspect view`), one an evaluation.

A log is a `.eval` file: a zip with a JSON file for each sample, its summaries and a header. They're
written here as inspect_ai 0.3.285 does (version 2 of its format) and not through its models, for
two reasons: it brings some fifty packages (AWS clients, a web server, a debugger) onto a machine that
only trains, and its public writer takes all samples at once, where a run may have 100,000. Tests hold
what is written against the real package.

Sample k of a task is epoch k + 1. A rollout without a reward has the score NaN, which is
`Score.unscored()`: inspect_ai keeps it, and leaves it out of every metric.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import re
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from rlvr.core.errors import DataError
from rlvr.core.files import replacing
from rlvr.core.task import Message
from rlvr.core.verdict import Cause, Scored, Status
from rlvr.evaluation.exports.about import About
from rlvr.evaluation.exports.exported import Exported, file_part, member_name
from rlvr.evaluation.exports.measured import MeasuredPart, key_of, measure, records_of
from rlvr.runs.reading import Record, size_of
from rlvr.runs.rollouts import answer_of, text_of

_SHORT = 5120  # characters of a text in a summary
_STOPS = {"length": "max_tokens", "error": "unknown"}
_METRICS = {"reward": "mean", "correct": "accuracy"}  # of each score


def export_inspect(run: Path, out: Path, step: int | None = None) -> Exported:
    """Write a log of each environment and part of `run` into the folder `out`."""
    about, end = About.read(run), size_of(run)
    evaluations = measure(run, step, end)
    with contextlib.ExitStack() as stack:
        logs = {
            key: stack.enter_context(
                _Log.writing(out / _file_name(evaluation, about), evaluation, about)
            )
            for key, evaluation in evaluations.items()
        }
        for record in records_of(run, step, end):
            log = logs.get(key_of(record))
            if log is not None:
                log.add(record)
    paths = [out / _file_name(evaluation, about) for evaluation in evaluations.values()]
    samples = sum(evaluation.report.rollouts for evaluation in evaluations.values())
    return Exported(paths, f"{samples} samples in {len(paths)} logs")


class _Log:
    """A log while it's written."""

    def __init__(self, file: zipfile.ZipFile, summaries: IO[bytes], about: About) -> None:
        self._zip = file
        self._summaries = summaries  # one member of the zip at the end: meanwhile elsewhere
        self._about = about

    @classmethod
    @contextlib.contextmanager
    def writing(cls, path: Path, evaluation: MeasuredPart, about: About) -> Iterator[_Log]:
        """Yield a log; its file appears only when it is complete."""
        with (
            replacing(path) as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed,
            tempfile.TemporaryFile(dir=path.parent) as summaries,
        ):
            log = cls(packed, summaries, about)
            header = _header(evaluation, about)
            start = {name: header[name] for name in ("version", "eval", "plan")}
            log._write("_journal/start.json", start)
            yield log
            log._finish(header)

    def add(self, record: Record) -> None:
        """Write a sample."""
        sample = _sample(record, self._about.model or self._about.policy)
        name = f"samples/{sample['id']}_epoch_{sample['epoch']}.json"
        if name in self._zip.NameToInfo:
            raise DataError(
                f"The run has sample {record.rollout.sample} of task {sample['id']!r} twice, and a "
                f"log has each once. Is it several runs in one file?"
            )
        self._write(name, sample)
        self._summaries.write(b"," if self._summaries.tell() else b"[")
        self._summaries.write(_json(_summary(sample)))

    def _finish(self, header: dict[str, Any]) -> None:
        self._summaries.write(b"]")
        self._summaries.seek(0)
        with self._zip.open("summaries.json", "w", force_zip64=True) as member:
            while block := self._summaries.read(1 << 20):
                member.write(block)
        self._write("header.json", header)

    def _write(self, name: str, content: dict[str, Any]) -> None:
        self._zip.writestr(name, _json(content))


def _json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()  # NaN is inspect_ai's "unscored"


def _sample(record: Record, model: str) -> dict[str, Any]:
    rollout, verdict = record.rollout, record.rollout.verdict
    assert verdict is not None
    prompt, response = record.prompt, record.response
    seconds = round(rollout.generate_s + rollout.verify_s, 4)
    metadata = {"stop": rollout.stop, "env": rollout.env, "part": rollout.part, "step": record.step}
    if member_name(rollout.task.id) != rollout.task.id:
        metadata["task"] = rollout.task.id
    output: dict[str, Any] = {"model": model, "choices": [], "completion": response or ""}
    if response is not None:
        message = {"role": "assistant", "content": response, "source": "generate", "model": model}
        output["choices"] = [{"message": message, "stop_reason": _STOPS.get(rollout.stop, "stop")}]
    usage = {}
    if rollout.completion_tokens is not None:
        asked, generated = rollout.prompt_tokens or 0, rollout.completion_tokens
        output["usage"] = {
            "input_tokens": asked,
            "output_tokens": generated,
            "total_tokens": asked + generated,
        }
        usage = {model: output["usage"]}
    single = len(prompt) == 1 and prompt[0]["role"] == "user"
    return {
        "id": member_name(rollout.task.id),  # a log's readers find a sample by the member's name
        "epoch": rollout.sample + 1,
        "input": prompt[0]["content"] if single else [_message(m) for m in prompt],
        "target": text_of(rollout.task.reference),
        "messages": [_message(m) for m in rollout.messages],
        "output": output,
        "scores": _scores(record),
        "metadata": {**rollout.task.metadata, "rlvr": metadata},
        "model_usage": usage,
        "total_time": seconds,
        "working_time": seconds,
    }


def _scores(record: Record) -> dict[str, Any]:
    verdict = record.rollout.verdict
    assert verdict is not None
    score: dict[str, Any] = {"answer": answer_of(verdict)}
    if isinstance(verdict, Scored):
        score["explanation"] = verdict.feedback or None
        score["metadata"] = {
            "status": str(verdict.status),
            "components": verdict.components,
            "detail": verdict.detail,
        }
        if verdict.status is Status.UNPARSABLE:
            score["reason"] = "invalid_response_format"
        correct = "C" if verdict.status is Status.CORRECT else "I"
        return {
            "reward": {"value": verdict.reward, **score},
            "correct": {"value": correct, **score},
        }
    score["explanation"] = verdict.message
    score["metadata"] = {"cause": str(verdict.cause), "detail": verdict.detail}
    score["reason"] = "grader_failed" if verdict.cause is Cause.JUDGE else "scoring_failed"
    return {name: {"value": math.nan, **score} for name in _METRICS}


def _message(message: Message) -> Message:
    """Return the message with a role that inspect_ai has."""
    role = {"developer": "system"}.get(message["role"], message["role"])
    roles = ("system", "user", "assistant", "tool")
    return {"role": role if role in roles else "user", "content": message["content"]}


def _summary(sample: dict[str, Any]) -> dict[str, Any]:
    """Return a sample as the list of samples shows it."""
    kept = {k: sample[k] for k in ("id", "epoch", "model_usage", "total_time", "working_time")}
    shown = sample["input"]
    return kept | {
        "input": shown[:_SHORT] if isinstance(shown, str) else [_shorter(m) for m in shown],
        "target": sample["target"][:_SHORT],
        "metadata": {},
        "scores": {
            name: {"value": score["value"], "answer": score["answer"] and score["answer"][:_SHORT]}
            for name, score in sample["scores"].items()
        },
        "completed": True,
        "message_count": len(sample["messages"]),
    }


def _shorter(message: Message) -> Message:
    return {"role": message["role"], "content": message["content"][:_SHORT]}


def _header(evaluation: MeasuredPart, about: About) -> dict[str, Any]:
    report, model = evaluation.report, about.model or about.policy
    finished = about.finished.isoformat() if about.finished else ""
    usage = {}
    if report.tokens["completion"] is not None:
        asked, generated = report.tokens["prompt"] or 0, report.tokens["completion"]
        usage[model] = {
            "input_tokens": asked,
            "output_tokens": generated,
            "total_tokens": asked + generated,
        }
    spec: dict[str, Any] = {
        "eval_id": _id(evaluation, about),
        "run_id": about.id,
        "created": about.began.isoformat(),
        "task": evaluation.name,
        "task_id": _id(evaluation, about),
        "task_version": about.version or 0,
        "dataset": {
            "name": evaluation.env,
            "samples": report.tasks,
            "sample_ids": [member_name(task) for task in evaluation.tally.tasks],
            "shuffled": False,
        },
        "model": model,
        "model_generate_config": about.sampling,
        "config": {"epochs": evaluation.k, "epochs_reducer": ["mean"]},
        "packages": about.versions,
        "scorers": [
            {"name": name, "metrics": [{"name": f"inspect_ai/{m}"} for m in (metric, "stderr")]}
            for name, metric in _METRICS.items()
        ],
    }
    if about.git:
        spec["revision"] = {"type": "git", "origin": "", **about.git}
    return {
        "version": 2,
        "status": "success" if about.finished else "cancelled",
        "eval": spec,
        "plan": {"name": "plan", "steps": [{"solver": "rlvr"}], "config": {}},
        "results": {
            "total_samples": report.rollouts,
            "completed_samples": report.rollouts,
            "scores": [_results(evaluation, name) for name in _METRICS],
            "metadata": {"rlvr": report.to_json() | {"step": evaluation.step}},
        },
        "stats": {
            "started_at": about.began.isoformat(),
            "completed_at": finished,
            "model_usage": usage,
        },
    }


def _results(evaluation: MeasuredPart, name: str) -> dict[str, Any]:
    """Return a score's metrics as inspect_ai computes them: over tasks, each with the mean of its scored epochs.

    There are no metrics if nothing was scored; inspect_ai itself would report 0.
    """
    top_T, scored_T = evaluation.of_tasks(name)
    means = top_T[scored_T > 0] / scored_T[scored_T > 0]
    figures: dict[str, float] = {}
    if len(means):
        figures[_METRICS[name]] = float(np.mean(means))
        spread = float(np.std(means, ddof=1)) if len(means) > 1 else 0.0
        figures["stderr"] = spread / math.sqrt(len(means))
    return {
        "name": name,
        "scorer": name,
        "reducer": "mean",
        "scored_samples": len(means),
        "unscored_samples": len(scored_T) - len(means),
        "metrics": {metric: {"name": metric, "value": v} for metric, v in figures.items()},
    }


def _id(evaluation: MeasuredPart, about: About) -> str:
    """Return an id for one evaluation of one run, as long as those of inspect_ai."""
    return hashlib.sha256(repr((about.id, evaluation.key)).encode()).hexdigest()[:22]


def _file_name(evaluation: MeasuredPart, about: About) -> str:
    """Return a name such as inspect_ai gives its logs; the same run always has the same name."""
    parts = (about.began.isoformat(), evaluation.name, _id(evaluation, about))
    plain = [file_part(re.sub(r"[^\w.]+", "-", part).replace("_", "-")) for part in parts]
    return "_".join(plain) + ".eval"
