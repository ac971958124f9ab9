"""Broken environments that pay for what solves nothing, and the probes that must find them.

Like `broken.py`, whose names they join.
"""

from __future__ import annotations

import re

from broken import boxed, broken, equal, judged, tasks

import rlvr


@broken("empty")
def pays_for_nothing() -> rlvr.Environment:
    return judged(lambda task, answer: task.reference.startswith(re.sub(r"\D", "", answer)),
                  mode="whole", name="nothing", demonstrate=lambda task: task.reference)  # fmt: skip


class Everywhere(rlvr.Verifier):
    name = "everywhere"

    def verify(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
        right = task.reference in response
        return rlvr.Scored(float(right), rlvr.Status.CORRECT if right else rlvr.Status.INCORRECT)

    def demonstrate(self, task: rlvr.Task) -> str:
        return boxed(task)


@broken("echo")
def has_the_answer_in_its_prompt() -> rlvr.Environment:
    found = [
        rlvr.Task(f"What is {n} times {n}? (Solution: {n * n}, not shown.)", str(n * n))
        for n in range(10, 40)
    ]
    return rlvr.SingleTurn(found, Everywhere())


@broken("copied-from-prompt")
def asks_for_its_own_last_word() -> rlvr.Environment:
    found = [rlvr.Task(f"What is {n} times {n}? Hint: {n * n}", str(n * n)) for n in range(10, 40)]
    return rlvr.SingleTurn(found, equal)


@broken("stated-formula")
def asks_for_a_form_and_compares_values() -> rlvr.Environment:
    found = [
        rlvr.Task(f"Factor $x^2 - {n * n}$.\n\nPut the answer in \\boxed{{}}.", f"(x-{n})(x+{n})")
        for n in range(2, 32)
    ]
    return rlvr.SingleTurn(found, rlvr.Math(restated=True))


@broken("refusal")
def pays_for_words() -> rlvr.Environment:
    return judged(lambda task, answer: min(1.0, len(answer) / 20), mode="whole", name="words",
                  demonstrate=lambda task: f"It is {task.reference}, I am quite sure.")  # fmt: skip


@broken("constant")
def asks_yes_or_no() -> rlvr.Environment:
    found = [
        rlvr.Task(f"Is {n} below {1000 if n % 8 else 2}?", "no" if n % 8 == 0 else "yes")
        for n in range(40)
    ]
    return rlvr.SingleTurn(found, equal)


@broken("base-rate")
def has_one_answer_too_often() -> rlvr.Environment:
    found = [
        rlvr.Task(f"Which tree is number {n}?", "sycamore" if n % 4 else f"tree {n}")
        for n in range(40)
    ]
    return rlvr.SingleTurn(found, equal)


@broken("format-only")
def pays_half_for_the_box() -> rlvr.Environment:
    return rlvr.SingleTurn(tasks(), 0.5 * equal + 0.5 * rlvr.Format.boxed())


@broken("every-candidate")
def takes_any_of_many_answers() -> rlvr.Environment:
    def judge(task: rlvr.Task, answer: str) -> bool:
        return task.reference in re.findall(r"\d+", answer)

    return judged(judge, mode="whole", name="any")


@broken("thinking-only")
def reads_the_thoughts() -> rlvr.Environment:
    return rlvr.SingleTurn(tasks(), Everywhere())


@broken("length-pays")
def pays_for_length() -> rlvr.Environment:
    class Longer(rlvr.Verifier):
        name = "longer"

        def verify(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
            right = 0.5 * (boxed(task) in response) + 0.5 * min(1.0, len(response) / 5000)
            return rlvr.Scored(right, rlvr.Status.PARTIAL)

        def demonstrate(self, task: rlvr.Task) -> str:
            return boxed(task)

    return rlvr.SingleTurn(tasks(), Longer())


@broken("padding")
def pays_for_steps() -> rlvr.Environment:
    return judged(lambda task, answer: min(1.0, answer.count("Step") / 10), mode="whole", name="steps",
                  demonstrate=lambda task: "Step " * 10)  # fmt: skip


@broken("one-token")
def asks_a_judge_that_a_colon_fools() -> rlvr.Environment:
    async def judge(task: rlvr.Task, answer: str) -> bool:
        return answer.strip() in (":", "Solution:") or task.reference in answer

    return judged(judge, mode="whole", name="fooled", demonstrate=lambda task: task.reference)


@broken("injection")
def asks_a_judge_that_obeys() -> rlvr.Environment:
    async def judge(task: rlvr.Task, answer: str) -> bool:
        return "highest score" in answer or answer == task.reference

    return judged(judge, mode="whole", name="obeys", demonstrate=lambda task: task.reference)


@broken("fully-paid")
def has_a_master_key() -> rlvr.Environment:
    return judged(lambda task, answer: answer in (task.reference, "\\text{the answer}"), name="key")


@broken("instruction-template")
def pays_for_a_template() -> rlvr.Environment:
    found = [
        rlvr.Task(f"Write about the number {n}. Use the words river and stone.",
                  {"instruction_id_list": ["keywords:existence"], "kwargs": [{"keywords": ["river", "stone"]}]})
        for n in range(10)
    ]  # fmt: skip
    return rlvr.SingleTurn(found, rlvr.Instructions())


@broken("shared-jail-cheats")
def asks_shared_tests_for_little() -> rlvr.Environment:
    found = [
        rlvr.Task(f"Write f(x), x plus {n}.", {"asserts": [f"assert f(3) < {n + 4}"], "isolation": "shared"})
        for n in range(10, 16)
    ]  # fmt: skip
    return rlvr.SingleTurn(found, rlvr.Code())


@broken("emptied-arguments")
def expects_what_the_solution_leaves() -> rlvr.Environment:
    found = [
        rlvr.Task("Write f(a), the list a in order.", {"asserts": [f"a = [3, 1, {n}]\nassert f(a) == sorted(a)"]})
        for n in range(10, 16)
    ]  # fmt: skip
    return rlvr.SingleTurn(found, rlvr.Code())
