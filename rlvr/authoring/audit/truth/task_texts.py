"""Probes of tasks' texts: leftovers in prompts, malformed references, and the answer format that prompts ask for."""

from __future__ import annotations

import itertools
import re

from rlvr.authoring.audit.finding import Finding, fail, note, nothing, ok
from rlvr.authoring.audit.probe_registry import probe
from rlvr.authoring.audit.subject import Subject, excerpt, full
from rlvr.core.task import Task
from rlvr.core.tasks import GeneratedTaskSet
from rlvr.core.thinking import after_thinking

_OFTEN = 0.2  # of the tasks; a smaller share is a fault of single rows
_LOADED = 20_000
_GENERATED = 400
LEFTOVERS: dict[str, re.Pattern[str]] = {
    # Not LaTeX's arguments, not what is quoted as code, not a form to fill in ("Answer: {answer}").
    "a placeholder": re.compile(
        r"(?<![\\\w}^_$'\"`{(\[,])\$?\{{1,2}\s*(?!(?:your|final|answer|result|output|value|number|letter))"
        r"[a-z][a-z_.]{3,40}\s*\}{1,2}(?![}'\"`^_,)\]])|%\([a-z_]{3,30}\)s"
    ),
    "a value that's missing": re.compile(
        r"^\s*(?:\w+ ?){0,3}:\s+(?:None|nan|NaN|undefined|\[object Object\])\s*$"
        r"|\A\s*(?:None|nan|NaN|undefined)\b|<\w+(?:\.\w+)* object at 0x",
        re.MULTILINE,
    ),
    "a chat template's marks": re.compile(
        r"<\|(?:im_start|im_end|eot_id|endoftext|begin_of_text|end_of_text|start_header_id|user|assistant)\|>"
        r"|\[/?INST\]|<(?:start|end)_of_turn>|<</?SYS>>"
    ),
    "Python's own form of a value": re.compile(r"\Ab(['\"]).*\1\Z|\{'role': '|\A\[?\{'content'", re.DOTALL),
    "characters that were decoded wrongly": re.compile("\ufffd|Ã[\u0080-\u00bf]|â€[\u0080-\u2122]"),
}  # fmt: skip
"""Patterns of text that a prompt shouldn't have, by name."""
_LABELLED = (
    r"(?:answer|solution|gold|reference|label|target|expected)\b\W{0,5}(?:(?:is|answer)\b\W{0,5})?"
)
_OTHER_FORMS = re.compile(
    r"<answer>|####|\bJSON\b|(?:begin|start|prefix|end)\w* (?:it |your answer )?with|double (?:square )?brackets"
    r"|(?:only|just) (?:the |a |your )?(?:final )?(?:number|letter|word|answer|name|value|result)\b"
    r"|nothing else|no other text|between \*\*",
    re.IGNORECASE,
)
_MARKED_ANSWER = (
    re.compile(r"####\s*(.+?)\s*\Z", re.DOTALL),
    re.compile(r"\\boxed\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}[^{}]*\Z"),
    re.compile(r"\A(?:the )?(?:final )?answer(?: is|:)\s*(.+?)\.?\s*\Z", re.IGNORECASE | re.DOTALL),
)
_UNSEEN = re.compile("[\u200b\u200c\u200d\u2060\ufeff\u00ad]")
_NOISE = re.compile(r"-?\d+\.\d*?(?:0{6,}|9{6,})\d{1,3}")


@probe("truth")
def prompts(subject: Subject) -> Finding:
    """Check that prompts have no leftovers of a template, a missing value or a wrong encoding."""
    leftovers: dict[str, list[str]] = {}
    for task in subject.tasks:
        for message in task.prompt:
            for leftover, pattern in LEFTOVERS.items():
                match = pattern.search(message["content"])
                if match is not None:
                    text = message["content"][max(0, match.start() - 20) : match.end() + 20]
                    leftovers.setdefault(leftover, []).append(
                        f"{leftover}, {task.id}: {excerpt(text, 80)}"
                    )
                    break
    labelled = _labelled(subject)
    if labelled:
        leftovers["the answer, after its label"] = labelled
    lines = [line for examples in leftovers.values() for line in examples[:3]]
    often = [
        leftover
        for leftover, examples in leftovers.items()
        if len(examples) > _OFTEN * len(subject.tasks)
    ]
    fix = (
        "Render the template with each row's own fields (rlvr.Prompt refuses a missing field), leave out rows "
        "without them, and leave a chat template's marks to the policy."
    )
    if often:
        return fail(f"prompts hold {', '.join(often)}", lines, fix)
    if leftovers:
        return note(f"{len(lines)} prompts hold {', '.join(leftovers)}", lines, fix)
    return ok(f"{len(subject.tasks)} prompts: nothing left over")


@probe("truth")
def references(subject: Subject) -> Finding:
    """Check that references are written as answers are: without white space, marks or rounding noise around them."""
    wrong: dict[str, list[str]] = {}
    for task in subject.tasks:
        reference = task.reference
        if not isinstance(reference, str):
            continue
        if reference.strip() in ("nan", "NaN") and "nan" not in task.text.casefold():
            wrong.setdefault("not a value (nan)", []).append(f"{task.id}: {reference!r}")
    plain = [
        (fault, task, text)
        for task, response in subject.solved
        for fault, plain_answer in _plainly(task)
        if (text := _instead(response, task, plain_answer)) is not None
    ]
    verdicts = subject.judge([task for _, task, _ in plain], [text for *_, text in plain])
    for (fault, task, text), verdict in zip(plain, verdicts, strict=True):
        if not full(verdict):
            line = f"{task.id}, {excerpt(str(task.reference))}: {excerpt(text)} isn't right"
            wrong.setdefault(fault, []).append(line)
    lines = [line for examples in wrong.values() for line in examples[:3]]
    missing = [
        f"{task.id}: {task.reference!r}"
        for task in subject.tasks
        if task.reference in ("None", "null", "undefined", "NULL")
        and str(task.reference).casefold() not in task.text.casefold()
    ]
    if wrong:
        count = sum(map(len, wrong.values()))
        return fail(
            f"{count} references aren't written as answers are: {', '.join(wrong)}",
            lines,
            "Clean them where the tasks are made (strip, cut off everything before ####, round), or compare "
            "values: rlvr.Math(). As it is, a plain answer is wrong.",
        )
    if 0 < len(missing) < len(subject.tasks) / 2:
        return note(
            f"{len(missing)} references may be missing values",
            missing,
            "Leave such rows out, unless that is their answer.",
        )
    return ok(f"{len(subject.tasks)} references are written as answers are")


@probe("truth")
def format_asked(subject: Subject) -> Finding:
    """Check that the prompt asks for the form in which the verifier looks for the answer."""
    if not subject.solved:
        return subject.lacks_right_answer()
    task, response = subject.solved[0]
    answer = after_thinking(response).strip()
    prompt = " ".join(task.text.split())
    if answer.startswith("\\boxed{") and answer.endswith("}") and "boxed" not in prompt:
        bare = answer[len("\\boxed{") : -1]
        (verdict,) = subject.judge([task], [bare])
        if full(verdict):
            return ok("an answer is right without marks, too")
        other_form = _OTHER_FORMS.search(prompt)
        lines = [f"{task.id}: {excerpt(task.text, 200)}"]
        fix = (
            "Ask for it: “Put the answer in \\boxed{}.” Or accept other forms: mode='flexible', or "
            "mode='whole' if the prompt asks for the answer alone."
        )
        if other_form is not None:
            summary = f"the prompt asks for another form ({other_form[0]!r}) than the verifier reads: \\boxed{{}}"
            return fail(summary, lines, fix)
        return note(
            "the verifier reads \\boxed{} only, and the prompt doesn't ask for it", lines, fix
        )
    if (
        "\\boxed" in prompt
        and "\\boxed" not in response
        and "```" not in response
        and len(response) < 200
    ):
        (verdict,) = subject.judge([task], [f"\\boxed{{{answer}}}"])
        if not full(verdict):
            return fail(
                "the prompt asks for \\boxed{}, and an answer in a box is wrong",
                [f"{task.id}, {excerpt(response)} is right: {excerpt(task.text, 160)}"],
                "mode='whole' passes the box to the function: use mode='boxed'.",
            )
    return ok("the prompt asks for the form that the verifier reads, or the verifier needs none")


@probe("truth")
def contradictions(subject: Subject) -> Finding:
    """Check that no prompt has two different references."""
    if subject.several_turns:
        return nothing("in several turns, a prompt may hide its task, such as a number to guess")
    tasks = subject.env.tasks
    count = min(len(tasks), _GENERATED if isinstance(tasks, GeneratedTaskSet) else _LOADED)
    first: dict[str, Task] = {}
    against, twice = [], 0
    for task in itertools.islice(tasks, count):
        earlier = first.setdefault(" ".join(task.text.split()), task)
        # The metadata may belong to the problem (a database, a shop that tools ask).
        if earlier is not task and earlier.metadata == task.metadata:
            twice += 1
            if earlier.reference != task.reference:
                against.append(
                    f"{earlier.id} and {task.id}, {excerpt(task.text, 120)}: "
                    f"{excerpt(str(earlier.reference))} and {excerpt(str(task.reference))}"
                )
    if against:
        return fail(
            f"{len(against)} prompts have two different references",
            against,
            "One of them is wrong, or the prompt lacks something that tells them apart.",
        )
    if twice > 0.05 * count:
        return note(
            f"{twice} of {count} prompts are there more than once",
            fix="`rlvr data dedupe` leaves one of each.",
        )
    return ok(f"{count} prompts: none has two references")


def _labelled(subject: Subject) -> list[str]:
    """Return prompts in which the reference follows a label; none if there are few different answers.

    Examples in a prompt may have one of a few answers, too.
    """
    texts = [t for t in subject.tasks if isinstance(t.reference, str | int | float)]
    if len({str(task.reference) for task in texts}) < max(3, len(texts) // 2):
        return []
    return [
        f"{task.id}: {excerpt(match[0], 80)}"
        for task in texts
        if len(answer := str(task.reference).strip()) > 1
        and (match := re.search(rf"{_LABELLED}{re.escape(answer)}(?!\w)", task.text, re.IGNORECASE))
    ]


def _plainly(task: Task) -> list[tuple[str, str]]:
    """Return the plain forms of a reference that isn't written as an answer, each with its fault."""
    reference = task.reference
    if not isinstance(reference, str) or not reference.strip():
        return []
    forms = []
    if reference != reference.strip():
        forms.append(("white space around it", reference.strip()))
    if _UNSEEN.search(reference):
        forms.append(("characters that can't be seen", _UNSEEN.sub("", reference).strip()))
    for pattern in _MARKED_ANSWER:
        marked = pattern.search(reference)
        if marked is not None:
            forms.append(("an answer with its marks, or a whole solution", marked[1].strip()))
            break
    if _NOISE.fullmatch(reference.strip()):
        forms.append(("a float's rounding noise", f"{float(reference):.12g}"))
    return [(fault, text) for fault, text in forms if text]


def _instead(response: str, task: Task, plain: str) -> str | None:
    return response.replace(task.reference, plain) if task.reference in response else None
