"""`score`: verdicts in order and complete, whatever lanes the items take, by the deadline."""

import threading
import time
from pathlib import Path

import pytest
from processes import eventually
from verifiers_used import CORRECT, TASK, Acts, Echo, Inline, Later

import rlvr
from rlvr.core.compose import AnyOf
from rlvr.core.errors import NoRewardError
from rlvr.scoring import Pool, score, submit


def test_nothing_in_nothing_out(pool: Pool) -> None:
    assert score([], [], Acts(), pool=pool) == []


def test_verdicts_come_in_the_order_of_the_responses(pool: Pool) -> None:
    """The later ones are judged first."""
    responses = ["sleep 0.1", *(f"say {i}" for i in range(200))]
    verdicts = score([TASK] * 201, responses, Acts(), pool=pool)
    said = [v.feedback for v in verdicts if isinstance(v, rlvr.Scored)]
    assert said == ["", *(str(i) for i in range(200))]


def test_a_composite_takes_every_lane_and_keeps_the_order(pool: Pool) -> None:
    verifier = 0.5 * Inline() + 0.3 * Acts() + 0.2 * Later()
    responses = [f"{action} {i}" for i in range(30) for action in ("say", "cannot", "wrong")]
    verdicts = score([TASK] * 90, responses, verifier, pool=pool)
    for response, verdict in zip(responses, verdicts, strict=True):
        if response.startswith("cannot"):
            assert verdict == rlvr.Unscored(rlvr.Cause.GOLD, response.split()[1])
            continue
        assert isinstance(verdict, rlvr.Scored)
        if response.startswith("say"):
            assert verdict.reward == 1.0
            assert verdict.feedback.startswith(f"inline: {response}")
        else:
            assert verdict.reward == 0.5


def test_a_part_that_hangs_costs_its_item_alone(pool: Pool) -> None:
    verifier = Inline() >> Acts("response")
    verdicts = score([TASK] * 3, ["right", "kill", "right"], verifier, pool=pool)
    assert [getattr(v, "status", None) for v in verdicts] == ["correct", "limit", "correct"]


def test_as_many_responses_as_tasks(pool: Pool) -> None:
    with pytest.raises(ValueError, match="2 for 1"):
        score([TASK], ["right", "right"], Acts(), pool=pool)


def test_a_response_that_is_no_text_is_refused_before_anything_runs(
    pool: Pool, tmp_path: Path
) -> None:
    file = tmp_path / "began"
    with pytest.raises(TypeError, match="NoneType"):
        score([TASK] * 2, [f"first {file}", None], Acts(), pool=pool)  # type: ignore[list-item]
    score([TASK] * 2, ["sleep 0.1"] * 2, Acts(), pool=pool)
    assert not file.exists()


@pytest.mark.parametrize("composed", [False, True])
def test_the_deadline_holds_with_many_hanging_items(composed: bool) -> None:
    """Two hundred items of minutes, and a queue that is soon full."""
    verifier = AnyOf(Acts("response"), Acts("response", "other")) if composed else Acts("response")
    with Pool(2, max_queued=5) as pool:
        pool.submit(Acts(), TASK, "right").result(120)
        began = time.monotonic()
        verdicts = score([TASK] * 200, ["sleep 200"] * 200, verifier, deadline_s=0.5, pool=pool)
        assert time.monotonic() - began < 100
    assert len(verdicts) == 200
    for verdict in verdicts:
        assert isinstance(verdict, rlvr.Unscored)
        assert verdict.cause is rlvr.Cause.TIMEOUT


def test_what_was_judged_by_the_deadline_counts(pool: Pool) -> None:
    verdicts = score([TASK] * 2, ["right", "sleep 20"], Acts(), deadline_s=1.0, pool=pool)
    assert verdicts[0] == CORRECT
    assert not verdicts[1].scored
    with pytest.raises(NoRewardError):
        float(verdicts[1])


@pytest.mark.parametrize("composed", [False, True])
def test_after_the_deadline_nobody_waits_for_what_is_left(composed: bool, tmp_path: Path) -> None:
    """Items that waited in the queue are taken out of it, the parts of composites too."""
    plain = Acts()
    verifier = Inline() >> plain if composed else plain
    late = [f"first {tmp_path / str(i)}" for i in range(20)]
    with Pool(1) as pool:
        pool.submit(plain, TASK, "right").result(120)
        score([TASK] * 20, late, verifier, deadline_s=0.3, limit_s=1.0, pool=pool)
        assert score([TASK], ["right"], plain, pool=pool) == [CORRECT]
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("deadline_s", [1e12, float("inf")])
def test_a_deadline_may_be_as_good_as_none(pool: Pool, deadline_s: float) -> None:
    assert score([TASK], ["right"], Acts(), deadline_s=deadline_s, pool=pool) == [CORRECT]


def test_no_time_at_all_still_gives_a_whole_list(pool: Pool) -> None:
    verdicts = score([TASK] * 3, ["sleep 5"] * 3, Acts(), deadline_s=-1, pool=pool)
    assert [verdict.scored for verdict in verdicts] == [False] * 3


def test_many_threads_share_a_pool(pool: Pool) -> None:
    """Each gets its own verdicts, in its own order."""
    answers: dict[int, list[str]] = {}

    def one(number: int) -> None:
        responses = [f"{number}.{i}" for i in range(40)]
        verdicts = score([TASK] * 40, responses, Echo(), pool=pool)
        answers[number] = [v.feedback for v in verdicts if isinstance(v, rlvr.Scored)]

    threads = [threading.Thread(target=one, args=[number]) for number in range(16)]
    for thread in threads:
        thread.start()
    assert eventually(lambda: not any(thread.is_alive() for thread in threads), 40)
    assert answers == {n: [f"{n}.{i}" for i in range(40)] for n in range(16)}


def test_submit_settles_at_once_what_it_can(pool: Pool) -> None:
    verdict = submit(TASK, "hello", Inline() >> Inline2(), pool=pool)
    assert isinstance(verdict, rlvr.Scored)
    assert verdict.reward == 1.0


class Inline2(Inline):
    name = "inline2"


class Careless(Inline):
    """`settle` raises, or returns no verdict."""

    def settle(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
        if response == "raise":
            raise KeyError("of settle")
        return "nonsense"  # type: ignore[return-value]

    verify = settle


@pytest.mark.parametrize(
    ("response", "message"), [("raise", "KeyError"), ("", "returned str, not a verdict")]
)
def test_a_careless_settle_is_unscored(pool: Pool, response: str, message: str) -> None:
    (verdict,) = score([TASK], [response], Careless(), pool=pool)
    assert isinstance(verdict, rlvr.Unscored)
    assert message in verdict.message


class Shallow(Inline):
    """`settle` can't do what `verify` can, in a worker: a stack of its own is there."""

    def settle(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
        raise RecursionError


def test_what_settle_cannot_do_a_worker_judges(pool: Pool) -> None:
    (verdict,) = score([TASK], ["yes"], Shallow(), pool=pool)
    assert verdict == rlvr.Scored(1.0, rlvr.Status.CORRECT, {"inline": 1.0}, "yes")


class Stubborn(rlvr.Verifier):
    """Raises what the response says, having said that it works on it; with `always` on any response."""

    name = "stubborn"

    def __init__(self, says: bool = True, always: bool = False):
        self.says = says
        self.always = always

    def verify(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
        if self.says:
            rlvr.working_on("response")
        if response.startswith("raise ") or self.always:
            raise {"OSError": OSError, "IndexError": IndexError}[response.partition(" ")[2]]("far")
        return rlvr.Scored(0.0, rlvr.Status.INCORRECT, {self.name: 0.0})


def test_an_exception_over_a_response_alone_is_its_own(pool: Pool) -> None:
    (verdict,) = score([TASK], ["raise IndexError"], Stubborn(), pool=pool)
    assert isinstance(verdict, rlvr.Scored)
    assert (verdict.reward, verdict.status) == (0.0, rlvr.Status.UNPARSABLE)
    assert "IndexError: far" in verdict.detail["raised"]


@pytest.mark.parametrize(
    ("verifier", "response"),
    [
        (Stubborn(says=False), "raise IndexError"),
        (Stubborn(always=True), "raise IndexError"),
        (Stubborn(), "raise OSError"),
    ],
    ids=["nobody's account", "over any response", "of the machine"],
)
def test_another_exception_is_no_responses_doing(
    pool: Pool, verifier: Stubborn, response: str
) -> None:
    (verdict,) = score([TASK], [response], verifier, pool=pool)
    assert isinstance(verdict, rlvr.Unscored)
    assert verdict.cause is rlvr.Cause.INTERNAL
