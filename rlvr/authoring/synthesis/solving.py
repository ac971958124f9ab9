"""Confirmation of references: a policy that doesn't see them solves the tasks, and the verifier compares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rlvr.authoring.synthesis.asking import Asker, Question
from rlvr.authoring.synthesis.options import SynthesisOptions
from rlvr.authoring.synthesis.proposal import Proposal
from rlvr.authoring.synthesis.references import is_right, judge
from rlvr.authoring.synthesis.requests import answer_request
from rlvr.core.environment import Environment
from rlvr.core.task import Task
from rlvr.core.verdict import Scored, Unscored, Verdict
from rlvr.runs.rollouts import answer_of, text_of


def confirm(
    candidates: Sequence[Proposal], env: Environment, solver: Asker, options: SynthesisOptions
) -> None:
    """Reject the candidates whose references the solver doesn't confirm, or whose pass rate isn't asked for."""
    tasks = [candidate.task for candidate in candidates if candidate.task is not None]
    questions = [
        Question(key, answer_request(key, task, options.seed), options.of)
        for key, task in ((f"answer {task.id}", task) for task in tasks)
    ]
    answers = solver.ask(questions)
    places: list[tuple[int, Task, str]] = []
    failed: Counter[int] = Counter()
    for at, (task, samples) in enumerate(zip(tasks, answers, strict=True)):
        failed[at] = sum(sample.stop == "error" for sample in samples)
        places += [(at, task, sample.text) for sample in samples if sample.stop != "error"]
    verdicts = judge(env, [task for _, task, _ in places], [text for _, _, text in places])
    of: dict[int, list[Verdict]] = {at: [] for at in range(len(tasks))}
    for (at, _, _), verdict in zip(places, verdicts, strict=True):
        of[at].append(verdict)
    for at, candidate in enumerate(candidates):
        _decide(candidate, of[at], failed[at], options)


def _decide(
    candidate: Proposal, verdicts: Sequence[Verdict], failed: int, options: SynthesisOptions
) -> None:
    scored = [verdict for verdict in verdicts if isinstance(verdict, Scored)]
    solved = sum(map(is_right, scored))
    candidate.facts |= {"solved": solved, "samples": len(scored)}
    if scored:
        candidate.facts["pass_rate"] = round(solved / len(scored), 6)
    missing = failed + len(verdicts) - len(scored)
    low, high = options.difficulty
    if missing and solved + missing >= options.agree:
        # The missing ones might have decided otherwise.
        why = next((v.message for v in verdicts if isinstance(v, Unscored)), "no response")
        candidate.reject("unscored", f"{'a response' if failed else 'a verdict'} is missing", why)
        return
    counts = Counter(
        answer
        for verdict in scored
        if not is_right(verdict) and (answer := _answer(verdict)) is not None
    )
    other, votes = counts.most_common(1)[0] if counts else ("", 0)
    detail = f"{solved} of {len(scored)} responses agree"
    if votes > 1 and votes >= solved:
        candidate.reject(
            "agreement",
            "the solver agrees on another answer",
            f"{detail}; {votes} say {other:.200}",
        )
    elif solved < options.agree:
        candidate.reject("agreement", "too few of the solver's responses agree", detail)
    elif not low <= solved / len(scored) <= high:
        kind = "easy" if solved / len(scored) > high else "hard"
        candidate.reject("difficulty", f"too {kind} for the solver", detail)


def _answer(verdict: Scored) -> str | None:
    """Return the answer that was found in a response, by the verifier or by a part of it."""
    answer = answer_of(verdict)
    parts = verdict.detail.get("parts")
    if answer is None and isinstance(parts, dict):
        details = [part.get("detail") for part in parts.values() if isinstance(part, dict)]
        answers = [detail.get("answer") for detail in details if isinstance(detail, dict)]
        answer = next((text_of(value) for value in answers if value is not None), None)
    return answer
