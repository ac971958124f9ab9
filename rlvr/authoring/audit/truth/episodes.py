"""The probe of right answers in episodes of several turns."""

from __future__ import annotations

from rlvr.authoring.audit.finding import Finding, fail, note, nothing, ok
from rlvr.authoring.audit.playing import in_order
from rlvr.authoring.audit.probe_registry import probe
from rlvr.authoring.audit.subject import SINGLE_TURN, Subject, excerpt, full, shown
from rlvr.core.task import Task
from rlvr.core.verdict import Unscored
from rlvr.testing.fixtures import task_of


@probe("truth")
def right_episode(subject: Subject) -> Finding:
    """Check that a right answer earns full reward in an episode too, and ends it."""
    if not subject.several_turns:
        return nothing(SINGLE_TURN)
    if not subject.solved:
        return subject.lacks_right_answer()
    broken: list[str] = []
    unpaid: list[str] = []
    cut = 0
    for task, response in subject.solved[:4]:
        played = subject.play(task, subject.repeating(task, response))
        verdict = played.verdict
        line = f"{task.id}, {excerpt(response)} at each turn: {shown(verdict)}"
        if isinstance(verdict, Unscored):
            broken.append(line)
        elif not full(verdict):
            unpaid.append(line)
        cut += played.stop == "turns"
    if broken:
        return fail(f"{len(broken)} episodes with right answers have no verdict", broken,
                    "Probably `reply` raises: it must answer anything that a model writes.")  # fmt: skip
    if unpaid:
        return note(f"{len(unpaid)} right answers, repeated at each turn, earn no full reward", unpaid,
                    "Fine if other turns have to prepare an answer; otherwise `reply` or `judge` "
                    "looks at another message than the verifier.")  # fmt: skip
    if cut == min(4, len(subject.solved)):
        if _fixture_ends(subject):  # the answer's form in an episode isn't the verifier's alone
            return ok("right fixtures end their episodes, with full reward")
        return fail(
            "no episode ends by itself, even by a right answer",
            [f"each is cut after {subject.env.max_turns} turns"],
            "`reply` returns None when the episode is over; otherwise the message after a right answer is "
            "judged in its place. If an answer has another form in an episode than `demonstrate` "
            "makes, give the environment a right fixture.",
        )
    return ok("right answers end their episodes, with full reward")


def _fixture_ends(subject: Subject) -> bool:
    """Return whether some right fixture's episode ends by itself, with full reward."""
    for fixture in subject.env.fixtures:
        task = task_of(subject.env, fixture)
        if fixture.kind == "right" and isinstance(task, Task) and not fixture.messages:
            played = subject.play(task, in_order(fixture.turns))
            if played.stop != "turns" and full(played.verdict):
                return True
    return False
