"""The probe that a right answer ends an episode of several turns with full reward."""

from __future__ import annotations

from rlvr.authoring.audit.finding import Finding
from rlvr.authoring.audit.probe_registry import fail, note, nothing, ok, probe
from rlvr.authoring.audit.subject import SINGLE_TURN, Subject, excerpt, full, shown
from rlvr.core.task import Task
from rlvr.core.verdict import Unscored, Verdict
from rlvr.testing.fixtures import task_of


@probe("truth")
def right_episode(subject: Subject) -> Finding:
    """A right answer earns full reward in an episode too, and ends it."""
    if not subject.several_turns:
        return nothing(SINGLE_TURN)
    if not subject.solved:
        return nothing("its verifier can't make right answers")
    broken: list[str] = []
    other: list[str] = []
    cut = 0
    for task, said in subject.solved[:4]:
        verdict, truncated = _played(subject, task, said)
        line = f"{task.id}, {excerpt(said)} at each turn: {shown(verdict)}"
        if isinstance(verdict, Unscored):
            broken.append(line)
        elif not full(verdict):
            other.append(line)
        cut += truncated
    if broken:
        return fail(f"{len(broken)} episodes with right answers have no verdict", broken,
                    "Most likely `reply` raises: it must answer whatever a model writes.")  # fmt: skip
    if other:
        return note(f"{len(other)} right answers, said at each turn, earn no full reward", other,
                    "Fine where an answer has to be prepared by other turns; else `reply` or `judge` "
                    "looks at another message than the verifier.")  # fmt: skip
    if cut == min(4, len(subject.solved)):
        if _fixture_ends(subject):  # the answer's form in an episode isn't the verifier's alone
            return ok("right fixtures end their episodes, with full reward")
        return fail(
            "no episode ends by itself, even by a right answer",
            [f"each is cut after {subject.env.max_turns} turns"],
            "`reply` returns None where the episode is over; what comes after a right answer would be "
            "judged in its place. Where an answer takes another form in an episode than `demonstrate` "
            "gives it, a right fixture shows that.",
        )
    return ok("right answers end their episodes, with full reward")


def _played(subject: Subject, task: Task, said: str) -> tuple[Verdict, bool]:
    """The verdict of an episode in which that's said at each turn, and whether it was cut."""
    env = subject.env
    env.reset(options={"task": task})
    for _ in range(env.max_turns):
        *_, terminated, truncated, info = env.step(said)
        if terminated or truncated:
            break
    return info["verdict"], truncated


def _fixture_ends(subject: Subject) -> bool:
    """Whether some right fixture's episode ends by itself, with full reward."""
    env = subject.env
    for fixture in env.fixtures:
        task = task_of(env, fixture)
        if fixture.kind != "right" or not isinstance(task, Task):
            continue
        env.reset(options={"task": task})
        for said in fixture.turns:
            *_, terminated, truncated, info = env.step(said)
            if terminated and full(info["verdict"]):
                return True
            if terminated or truncated:
                break
    return False
