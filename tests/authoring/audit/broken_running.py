"""Environments whose verification can't be relied on while it runs. Like `broken.py`, whose names they join."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

from broken import broken, judged, tasks
from broken_too import of_factors

import rlvr


def _evaluated(task: rlvr.Task, answer: str) -> bool:
    try:
        return bool(eval(answer) == int(task.reference))
    except Exception:
        return False


@broken("runs-nothing")
def evaluates_the_answer() -> rlvr.Environment:
    return judged(_evaluated)


@broken("runs-nothing")
def executes_the_program() -> rlvr.Environment:
    def judge(task: rlvr.Task, answer: str) -> bool:
        names: dict[str, Any] = {}
        try:
            exec(answer.partition("```python")[2].partition("```")[0], names)
            return bool(names["f"](3) == 9)
        except Exception:
            return False

    return judged(judge, mode="whole", name="run")


@broken("runs-nothing")
def asks_the_shell() -> rlvr.Environment:
    def judge(task: rlvr.Task, answer: str) -> bool:
        return os.system(f"test '{task.reference}' = {answer} 2>/dev/null") == 0

    return judged(judge, name="shell")


def _takes_from(task: rlvr.Task, answer: str) -> bool:
    return all(x.strip() == task.reference.pop(0) for x in answer.split(",") if task.reference)


@broken("task-unchanged")
def empties_its_reference() -> rlvr.Environment:
    return of_factors(_takes_from)


async def _counts(task: rlvr.Task, answer: str) -> bool:
    task.metadata["tries"] = task.metadata.get("tries", 0) + 1
    return bool(answer == task.reference)


@broken("task-unchanged")
def counts_in_the_metadata() -> rlvr.Environment:
    return judged(_counts)


@broken("quiet")
def prints_a_lot() -> rlvr.Environment:
    def judge(task: rlvr.Task, answer: str) -> bool:
        print("checking " * 100)
        return bool(answer == task.reference)

    return judged(judge, name="loud")


@broken("nothing-left")
def leaves_threads() -> rlvr.Environment:
    def judge(task: rlvr.Task, answer: str) -> bool:
        threading.Thread(target=time.sleep, args=(20,), daemon=True).start()
        return bool(answer == task.reference)

    return judged(judge, name="threads")


@broken("nothing-left")
def changes_the_folder() -> rlvr.Environment:
    def judge(task: rlvr.Task, answer: str) -> bool:
        os.chdir("/")
        return bool(answer == task.reference)

    return judged(judge, name="folder")


@broken("verdicts-elsewhere")
def depends_on_the_order_of_a_set() -> rlvr.Environment:
    def judge(task: rlvr.Task, answer: str) -> float:
        return 0.5 + hash("ash") % 10**6 / 10**7 if answer == task.reference else 0.0

    return judged(judge, name="order")


@broken("verdicts-elsewhere")
def reads_from_the_working_directory() -> rlvr.Environment:
    def judge(task: rlvr.Task, answer: str) -> bool:
        return bool(answer == task.reference) and bool(os.listdir())  # of its data, say

    return judged(judge, name="file")


@broken("event-loop")
def blocks_the_event_loop() -> rlvr.Environment:
    async def judge(task: rlvr.Task, answer: str) -> bool:
        time.sleep(0.3)
        return bool(answer == task.reference)

    return judged(judge, name="blocking")


@broken("verdicts-elsewhere")
def ends_its_process() -> rlvr.Environment:
    return judged(lambda task, answer: answer == task.reference or os._exit(0), name="exits")


@broken("always-a-verdict")
def hangs_on_wrong_answers() -> rlvr.Environment:
    def judge(task: rlvr.Task, answer: str) -> bool:
        while answer != task.reference:
            pass
        return True

    return judged(judge, name="endless", limit_s=0.2)


@broken("reward-range")
def pays_in_full_and_calls_it_partial() -> rlvr.Environment:
    def judge(task: rlvr.Task, answer: str) -> rlvr.Verdict:
        status = rlvr.Status.CORRECT if answer == task.reference else rlvr.Status.PARTIAL
        return rlvr.Scored(float(answer.isdecimal()), status)

    return judged(judge, name="partial")


@broken("limits-have-room")
def takes_most_of_its_time() -> rlvr.Environment:
    @rlvr.verifier(limit_s=1.5)
    def dawdling(task: rlvr.Task, answer: str) -> bool:
        time.sleep(0.7)
        return bool(answer.strip() == task.reference)

    return rlvr.SingleTurn(tasks(4), dawdling)


@broken("limits-have-room")
def has_a_solution_that_barely_makes_it() -> rlvr.Environment:
    program = "import time\nend = time.process_time() + 0.6\nwhile time.process_time() < end: pass\nprint(input())"
    reference = {
        "tests": [{"stdin": "a", "stdout": "a"}],
        "solution": program,
        "limits": {"cpu_s": 1.2},
    }
    found = [rlvr.Task(f"Print the line. ({i})", reference) for i in range(2)]
    return rlvr.SingleTurn(rlvr.TaskSet(found), rlvr.Code())
