"""`synthesise`: tasks from a few examples, made by a policy and confirmed by a verifier and a solver."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from rlvr.authoring.decontamination import Index, Instance, read_instances
from rlvr.authoring.split import prompt_group
from rlvr.authoring.synthesis.asking import Asker, Question
from rlvr.authoring.synthesis.forms import RowForm, read_examples
from rlvr.authoring.synthesis.options import SynthesisOptions
from rlvr.authoring.synthesis.proposal import Proposal
from rlvr.authoring.synthesis.reading import check_plain, read_items
from rlvr.authoring.synthesis.records import SynthesisFolder
from rlvr.authoring.synthesis.references import ReferenceChecks
from rlvr.authoring.synthesis.report import SynthesisReport
from rlvr.authoring.synthesis.requests import personas_request, tasks_request
from rlvr.authoring.synthesis.similar import SimilarTasks, SimilarTexts, plain
from rlvr.authoring.synthesis.solving import confirm
from rlvr.authoring.synthesis.texts import answers_stand_in, check_text
from rlvr.core.environment import Environment
from rlvr.core.errors import DataError, OptionError
from rlvr.core.task import Task
from rlvr.policies.base import Generation, name_of, seed_of
from rlvr.runs.provenance import versions

_ROUND = 32  # requests for tasks at a time
_CHUNK = 64  # candidates that are checked together
_LEAST_CHUNK = 8
_PERSONA_TRIES = 5  # replies per reply that would do
_PERSONAS_PER_REPLY = 5
_PERSONA_LONGEST = 1000
_PERSONA_NEAR = 0.6
_FINAL = ("agreement", "difficulty")
"""Stages after which the same question isn't tried again: another try would pass by luck at last."""


@dataclass(frozen=True)
class Synthesis:
    """The result of a synthesis.

    Attributes:
        rows: the kept rows, in the form of the examples, each with its origin in `metadata`.
        tasks: the environment's tasks of the same rows.
        rejected: the rejected candidates with their stage, reason and origin.
        personas: the personas with their origin.
        report: the figures.
    """

    rows: list[dict[str, Any]]
    tasks: list[Task]
    rejected: list[dict[str, Any]]
    personas: list[dict[str, Any]]
    report: SynthesisReport


def synthesise(
    env: Environment | str,
    examples: str | Path | Sequence[Mapping[str, Any] | Task],
    policy: Any,
    count: int = 100,
    *,
    solver: Any = None,
    folder: str | Path | None = None,
    resume: bool = False,
    env_options: Mapping[str, Any] | None = None,
    concurrency: int | None = None,
    sampling: Mapping[str, Any] | None = None,
    progress: Callable[[SynthesisReport], None] = lambda report: None,
    **options: Any,
) -> Synthesis:
    """Make tasks for an environment from a few examples::

        from rlvr.authoring import synthesise

        made = synthesise("gsm8k", "seventy.jsonl", policy, count=1000, against=["gsm8k:test"])
        made.report.stages()   # {'duplicate': 212, 'agreement': 96}

    Args:
        env: an environment of one response, or its name.
        examples: a file or an environment's name, rows of one, or tasks.
        policy: writes the tasks, and the personas.
        count: the number of tasks to keep.
        solver: solves the tasks without their references (default: `policy`).
        folder: the folder for the records; without one they are in memory alone.
        resume: go on with the synthesis in `folder`; no answer that is there is asked for again.
        env_options: options of the environment, if `env` is a name.
        concurrency: requests at a time of an asynchronous policy.
        sampling: further facts for the record, such as the temperature, which a resumed synthesis must have again.
        progress: called with the figures after each group of candidates.
        options: further fields of `SynthesisOptions`.

    The same arguments and policies that answer the same give the same tasks. `report.stopped` says why fewer tasks
    than `count` were kept, if so.

    Raises `DataError` if the examples can't be used, `OptionError` for an invalid option, `PolicyError` if a policy
    can't go on.
    """
    try:
        chosen = SynthesisOptions(count=count, **options)
    except TypeError as error:
        raise OptionError(f"synthesise has no such option: {error}.") from None
    for asked in (policy, *(() if solver is None else (solver,))):
        name_of(asked)  # raises if it isn't a policy
    if isinstance(examples, str | Path):
        rows = read_examples(examples)
    else:
        rows = [
            example.to_json() if isinstance(example, Task) else dict(example)
            for example in examples
        ]
    form = RowForm.of(env, rows, **dict(env_options or {}))
    config = {
        "environment": form.env.name,
        "env_options": {k: v for k, v in dict(env_options or {}).items() if k != "data"},
        "examples": _digest(rows),
        "policy": name_of(policy),
        "solver": name_of(policy if solver is None else solver),
        "sampling": dict(sampling or {}),
        **chosen.to_json(),
    }
    flow = _Flow(
        form, chosen, progress
    )  # before the folder is made: examples or sets may be unusable
    records = SynthesisFolder(None if folder is None else Path(folder), config, resume)
    askers: list[Asker] = []
    try:
        asker = Asker(policy, records.answers, concurrency)
        askers.append(asker)
        if solver is not None and solver is not policy:
            askers.append(Asker(solver, records.answers, concurrency))
        return flow.run(records, asker, askers[-1])
    finally:
        for asked in askers:
            asked.close()
        records.close()


class _Flow:
    """A synthesis under way. Everything that it decides depends on the options and the answers alone."""

    def __init__(
        self,
        form: RowForm,
        options: SynthesisOptions,
        progress: Callable[[SynthesisReport], None],
    ) -> None:
        self.form, self.options, self.progress = form, options, progress
        self.records: SynthesisFolder
        self.asker: Asker
        self.solver: Asker
        self.report = SynthesisReport(wanted=options.count)
        self.personas: list[dict[str, Any]] = []
        self.tasks: list[Task] = []
        self._number = 0  # of the last candidate
        self._fruitless = 0  # decisions since the last kept one
        self._tried: set[str] = set()
        self._versions = versions().get("rlvr", "")
        self._evaluation = _evaluation_index(options.against)
        usable = {id: task for id, (_, task) in form.examples.items()}
        self.checks = ReferenceChecks(form.env, usable, options.seed)
        unusable = {**form.unusable, **self.checks.unusable}
        for id, task in usable.items():
            contamination = self._contamination(task, form.question(task))
            if contamination is not None:
                unusable.setdefault(id, f"it is in an evaluation set: {contamination}")
        self.examples = [id for id in usable if id not in unusable]
        if not self.examples:
            id, why = next(iter(unusable.items()))
            raise DataError(f"No example can be used. Example {id}: {why}")
        self.report.examples, self.report.unusable = len(self.examples), unusable
        questions = {id: form.question(task) for id, task in usable.items()}
        self._inside = answers_stand_in((usable[id], questions[id]) for id in self.examples)
        self.report.left_out = list(self.checks.left_out)
        if self._inside:
            self.report.left_out.append("the answer stands in the question")
        form_texts = [(questions[id], task.text) for id, task in usable.items()]
        self._similar = SimilarTasks(options.near, options.templates, form_texts)
        for id, (question, prompt) in zip(usable, form_texts, strict=True):
            self._similar.add(f"example {id}", question, prompt)

    def run(self, records: SynthesisFolder, asker: Asker, solver: Asker) -> Synthesis:
        """Make the tasks."""
        self.records, self.asker, self.solver = records, asker, solver
        self._make_personas()
        asked = 0
        most = self.options.most_replies
        while self._wanted and not self._is_fruitless:
            if asked >= most:
                self.report.stopped = (
                    f"{most} replies were asked for, the most that --replies allows"
                )
                break
            count = min(_ROUND, ceil(self._wanted / self.options.per_reply), most - asked)
            questions = [self._question(number) for number in range(asked, asked + count)]
            answers = self.asker.ask(questions)
            candidates: list[Proposal] = []
            for number, (answer,) in enumerate(answers, asked):
                candidates += self._read(number, answer)
            asked += count
            self._decide_all(candidates)
        if self._wanted and self._is_fruitless:
            self.report.stopped = f"none of the last {self._fruitless} candidates was kept, the most that --patience allows"
        self._count_tokens()
        self.records.finish(self.report)
        return Synthesis(
            self.records.rows, self.tasks, self.records.rejected, self.personas, self.report
        )

    @property
    def _wanted(self) -> int:
        """The number of tasks that are missing."""
        return self.options.count - self.report.kept

    @property
    def _is_fruitless(self) -> bool:
        return self._fruitless >= self.options.patience

    def _make_personas(self) -> None:
        wanted = self.options.personas
        if not wanted:
            return
        similar = SimilarTexts(_PERSONA_NEAR, any_numbers=True)
        most = _PERSONA_TRIES * ceil(wanted / _PERSONAS_PER_REPLY)
        asked = 0
        while asked < most and len(self.personas) < wanted:
            count = ceil((wanted - len(self.personas)) / _PERSONAS_PER_REPLY)
            questions = []
            for number in range(asked, min(most, asked + count)):
                key = f"personas {number}"
                rows = [self._row_of(id) for id in self._shown(key)]
                request = personas_request(key, rows, _PERSONAS_PER_REPLY, self.options.seed)
                questions.append(Question(key, request))
            for question, (answer,) in zip(questions, self.asker.ask(questions), strict=True):
                self._add_personas(question, answer, similar)
            asked += len(questions)
        if not self.personas:
            raise DataError(f"The policy {self.asker.name!r} wrote no persona in {asked} replies.")
        self.report.personas = len(self.personas)
        self.records.write_personas(self.personas)

    def _add_personas(self, question: Question, answer: Generation, similar: SimilarTexts) -> None:
        try:
            items = [] if answer.stop == "error" else read_items(answer.text)
            check_plain(items)
        except DataError:
            return
        for item in items:
            text = item.get("persona") if isinstance(item, dict) else item
            if not isinstance(text, str) or not 0 < len(text.strip()) <= _PERSONA_LONGEST:
                continue
            text = text.strip()
            if similar.find(text) is None and len(self.personas) < self.options.personas:
                id = f"persona-{len(self.personas) + 1}"
                similar.add(id, text)
                origin = {
                    "examples": self._shown(question.key),
                    "policy": self.asker.name,
                    "seed": self.options.seed,
                    "request_seed": question.request.seed,
                    "rlvr": self._versions,
                }
                self.personas.append({"id": id, "persona": text, "origin": origin})

    def _shown(self, key: str) -> list[str]:
        """Return the ids of the examples that a request shows."""
        rng = random.Random(seed_of(self.options.seed, "examples", key))
        return rng.sample(self.examples, min(self.options.shown, len(self.examples)))

    def _row_of(self, id: str) -> dict[str, Any]:
        return self.form.shown(self.form.examples[id][0])

    def _persona(self, key: str) -> dict[str, Any] | None:
        if not self.personas:
            return None
        return random.Random(seed_of(self.options.seed, "persona", key)).choice(self.personas)

    def _question(self, number: int) -> Question:
        """Return the request for tasks with this number."""
        key = f"tasks {number}"
        persona = self._persona(key)
        request = tasks_request(
            key,
            f"the environment {self.form.env.name!r}",
            [self._row_of(id) for id in self._shown(key)],
            self.form.columns,
            self.options.per_reply,
            None if persona is None else persona["persona"],
            self.options.seed,
        )
        return Question(key, request)

    def _read(self, number: int, answer: Generation) -> list[Proposal]:
        """Return the candidates in a reply."""
        self.report.replies += 1
        if answer.stop == "error":
            self.report.failed_replies += 1
            self._fruitless += 1
            return []
        key = f"tasks {number}"
        persona = self._persona(key)
        origin = {
            "environment": self.form.env.name,
            "examples": self._shown(key),
            "persona": None if persona is None else persona["persona"],
            "policy": self.asker.name,
            "solver": self.solver.name,
            "seed": self.options.seed,
            "request_seed": seed_of(self.options.seed, key),
            "rlvr": self._versions,
        }
        id = f"s{self.options.seed}-{number}"
        try:
            items = read_items(answer.text)
        except DataError as error:
            reply = Proposal(id, 0, answer.text[:2000], origin)
            reply.reject("reply", "it has no tasks that can be read", str(error))
            self._record_rejection(reply)
            return []
        candidates = []
        # More than was asked for is a reply that runs on.
        for place, item in enumerate(items[: 2 * self.options.per_reply]):
            self._number += 1
            candidates.append(Proposal(f"{id}-{place}", self._number, item, dict(origin)))
        return candidates

    def _decide_all(self, candidates: list[Proposal]) -> None:
        while candidates and self._wanted and not self._is_fruitless:
            size = max(_LEAST_CHUNK, min(_CHUNK, self._wanted))
            chunk, candidates = candidates[:size], candidates[size:]
            self._decide(chunk)
            self._count_tokens()
            self.progress(self.report)
        self.report.undecided += len(candidates)

    def _decide(self, chunk: Sequence[Proposal]) -> None:
        """Decide candidates, the cheap checks first. Those that a resumed folder has keep their outcome."""
        new = [c for c in chunk if self.records.outcome(c.id) is None]
        for candidate in chunk:
            self._make_task(candidate)
        for candidate in _open(new):
            check_text(candidate, self._inside)
            self._check_repeats(candidate)
            self._check_contamination(candidate)
        self.checks.check(_open(new))
        confirm(_open(new), self.form.env, self.solver, self.options)
        for candidate in chunk:
            if not self._wanted or self._is_fruitless:
                self.report.undecided += 1
                continue
            before = self.records.outcome(candidate.id)
            if candidate.is_open and before is None:
                # Again, since others of this chunk were decided meanwhile.
                self._check_repeats(candidate)
            self._record(candidate, before)

    def _make_task(self, candidate: Proposal) -> None:
        try:
            candidate.row = self.form.row(candidate.item)
        except (DataError, RecursionError) as error:
            candidate.reject("row", "it isn't a row like the examples", str(error))
            return
        try:
            candidate.task = self.form.task(candidate.row, candidate.id, candidate.number)
            candidate.question = self.form.question(candidate.task)
        except (DataError, RecursionError) as error:
            candidate.reject("row", "the environment can't read it", str(error))

    def _check_repeats(self, candidate: Proposal) -> None:
        assert candidate.task is not None
        match = self._similar.find(candidate.question, candidate.task.text)
        if match is not None:
            name, similarity = match
            noun = "an example" if name.startswith("example ") else "a kept task"
            kind = "the words of" if similarity == 1.0 else "a near-duplicate of"
            candidate.reject("duplicate", f"{kind} {noun}", f"{name}, {similarity:.2f}")
        elif prompt_group(plain(candidate.question)) in self._tried:
            candidate.reject("duplicate", "the same question was rejected after it was solved")

    def _check_contamination(self, candidate: Proposal) -> None:
        assert candidate.task is not None
        match = self._contamination(candidate.task, candidate.question)
        if match is not None:
            candidate.reject("contamination", "it is in an evaluation set", match)

    def _contamination(self, task: Task, question: str) -> str | None:
        """Return the problem of an evaluation set that a task is; None if there's none."""
        if self._evaluation is None:
            return None
        for matches in self._evaluation.find([plain(question), plain(task.text)]):
            for match in matches:
                instance = self._evaluation.instances[match.instance]
                return f"{instance.set} {instance.id} ({match.method} {match.score:.2f})"
        return None

    def _record(self, candidate: Proposal, before: dict[str, Any] | None) -> None:
        """Write a candidate's outcome and count it; `before` is the outcome in a resumed folder."""
        self.report.candidates += 1
        if before is not None and "stage" in before:
            self._count_rejection(before)
        elif before is None and not candidate.is_open:
            self._record_rejection(candidate)
        else:
            if candidate.row is None or candidate.task is None:
                raise DataError(
                    f"The kept task {candidate.id} can't be read again: {candidate.rejection}. Have the "
                    f"environment's options or data changed?"
                )
            facts = dict(candidate.facts)
            if before is None:
                row = self.form.kept(candidate.row, candidate.id, candidate.number)
                row["metadata"] = {"origin": {**candidate.origin, **facts}}
                self.records.keep(row)
            else:
                facts = before["metadata"]["origin"]
                self.records.rows.append(before)
            self._similar.add(candidate.id, candidate.question, candidate.task.text)
            self.tasks.append(candidate.task)
            self.report.kept += 1
            self.report.solved[facts["solved"]] += 1
            self._fruitless = 0

    def _record_rejection(self, candidate: Proposal) -> None:
        line = self.records.outcome(candidate.id)
        if line is None:
            line = candidate.to_json()
            self.records.reject(line)
            self._count(line)
        else:
            self._count_rejection(line)

    def _count_rejection(self, line: dict[str, Any]) -> None:
        self.records.rejected.append(line)
        self._count(line)

    def _count(self, line: dict[str, Any]) -> None:
        self._fruitless += 1
        self.report.rejected[line["stage"], line["reason"]] += 1
        if line["stage"] in _FINAL:
            self._tried.add(prompt_group(plain(line["question"])))

    def _count_tokens(self) -> None:
        self.report.prompt_tokens = self.records.answers.prompt_tokens
        self.report.completion_tokens = self.records.answers.completion_tokens


def _open(candidates: Sequence[Proposal]) -> list[Proposal]:
    return [candidate for candidate in candidates if candidate.is_open]


def _evaluation_index(sources: Sequence[str]) -> Index | None:
    """Return an index of evaluation sets with their numbers in digits; None without any."""
    instances = [
        Instance(item.set, item.id, plain(item.text), tuple(map(plain, item.also)))
        for source in sources
        for item in read_instances(source)
    ]
    return Index(instances) if instances else None


def _digest(rows: Sequence[Mapping[str, Any]]) -> str:
    text = json.dumps(rows, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
