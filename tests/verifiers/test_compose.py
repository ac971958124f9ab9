"""Weighted sums, gates, all and any: in place and through the scorer, which must agree."""

from __future__ import annotations

from pathlib import Path

import pytest

import rlvr
from rlvr.core.compose import AllOf, AnyOf, Composite, Gate, Weighted, leaves
from rlvr.core.errors import OptionError

TASK = rlvr.Task("prompt", "reference")


class Gives(rlvr.Verifier):
    """The verdict that it was made with."""

    options = ("shout",)
    shout = False

    def __init__(self, name: str, verdict: rlvr.Verdict, shows: str | None = None) -> None:
        self.name = name
        self.verdict = verdict
        self.shows = shows
        self.asked = 0

    def settle(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
        self.asked += 1
        return self.verdict

    verify = settle

    def demonstrate(self, task: rlvr.Task) -> str | None:
        return self.shows


def gives(name: str, reward: float, status: rlvr.Status | None = None) -> Gives:
    if status is None:
        status = rlvr.Status.CORRECT if reward >= 1 else rlvr.Status.PARTIAL
        status = rlvr.Status.INCORRECT if reward <= 0 else status
    return Gives(name, rlvr.Scored(reward, status, {name: reward}, f"of {name}", {name: name}))


def fails(name: str, cause: rlvr.Cause = rlvr.Cause.JUDGE) -> Gives:
    return Gives(name, rlvr.Unscored(cause, f"{name} failed"))


def judged(verifier: rlvr.Verifier) -> rlvr.Verdict:
    """What it says in place, which must be what the scorer makes of it."""
    assert isinstance(verifier, Composite)
    in_place = verifier.verify(TASK, "response")
    assert rlvr.score([TASK], ["response"], verifier) == [in_place]
    return in_place


def scored(verifier: rlvr.Verifier) -> rlvr.Scored:
    verdict = judged(verifier)
    assert isinstance(verdict, rlvr.Scored), verdict
    return verdict


def test_a_sum_has_the_parts_by_name_unweighted() -> None:
    verdict = scored(0.75 * gives("a", 1) + 0.25 * gives("b", 0))
    assert verdict.reward == 0.75
    assert verdict.status is rlvr.Status.PARTIAL
    assert verdict.components == {"a": 1, "b": 0}
    assert verdict.detail == {
        "a": "a",
        "b": "b",
        "parts": {
            "a": {"reward": 1.0, "status": "correct", "feedback": "of a", "detail": {"a": "a"}},
            "b": {"reward": 0.0, "status": "incorrect", "feedback": "of b", "detail": {"b": "b"}},
        },
    }
    assert verdict.feedback == "a: of a; b: of b"


def test_full_marks_are_full_whatever_the_weights_rounding() -> None:
    parts = [gives(name, 1) for name in "abc"]
    verdict = scored(0.7 * parts[0] + 0.2 * parts[1] + 0.1 * parts[2])
    assert verdict.reward == pytest.approx(1.0, abs=1e-12)
    assert verdict.status is rlvr.Status.CORRECT


def test_a_tiny_weight_isnt_full_marks_for_nothing() -> None:
    assert scored(1e-10 * gives("a", 0)).status is rlvr.Status.INCORRECT


def test_a_part_of_weight_0_is_reported_and_doesnt_count() -> None:
    verdict = scored(1.0 * gives("a", 1) + 0 * gives("b", 0))
    assert (verdict.reward, verdict.status) == (1.0, rlvr.Status.CORRECT)
    assert verdict.components == {"a": 1, "b": 0}
    assert scored(1.0 * gives("a", 1) + 0 * fails("b")).components == {"a": 1}


@pytest.mark.parametrize(
    ("good", "bad", "reward", "status"),
    [(1, 0, 1.0, "correct"), (1, 1, 0.5, "partial"), (0, 1, -0.5, "incorrect")],
)
def test_a_negative_weight_is_a_penalty(
    good: float, bad: float, reward: float, status: str
) -> None:
    verdict = scored(1.0 * gives("good", good) + -0.5 * gives("bad", bad))
    assert (verdict.reward, verdict.status) == (reward, status)


def test_a_part_with_another_range_isnt_cut() -> None:
    verdict = scored(0.5 * gives("a", 4) + 0.5 * gives("b", 1))
    assert (verdict.reward, verdict.status) == (2.5, rlvr.Status.CORRECT)


def test_scaling_a_sum_scales_its_parts() -> None:
    verifier = 2 * (0.25 * gives("a", 1) + 0.25 * gives("b", 1))
    assert isinstance(verifier, Weighted)
    assert verifier.weights == (0.5, 0.5)
    assert [leaf.name for leaf in leaves(verifier)] == ["a", "b"]


def test_without_any_reward_the_heaviest_part_says_why() -> None:
    none = gives("answer", 0, rlvr.Status.UNPARSABLE)
    assert scored(0.9 * none + 0.1 * gives("b", 0)).status is rlvr.Status.UNPARSABLE
    assert scored(0.1 * none + 0.9 * gives("b", 0)).status is rlvr.Status.INCORRECT


def test_an_unscored_part_makes_a_sum_unscored() -> None:
    assert judged(0.9 * gives("a", 0) + 0.1 * fails("b")) == fails("b").verdict


@pytest.mark.parametrize("weights", [[float("nan"), 1], [float("inf"), 1], [1], [1, 1, 1]])
def test_weights_are_finite_and_one_a_part(weights: list[float]) -> None:
    with pytest.raises(OptionError):
        Weighted([gives("a", 1), gives("b", 1)], weights)


def test_a_gate_that_opens_gives_what_is_behind_it() -> None:
    verdict = scored(gives("form", 1) >> gives("answer", 0.5))
    assert (verdict.reward, verdict.status) == (0.5, rlvr.Status.PARTIAL)
    assert verdict.components == {"form": 1, "answer": 0.5}


@pytest.mark.parametrize("condition", [0, 0.9])
def test_a_gate_that_stays_shut_doesnt_even_ask(condition: float) -> None:
    behind = gives("answer", 1)
    verdict = scored(gives("form", condition) >> behind)
    assert (verdict.reward, verdict.status) == (0.0, rlvr.Status.INCORRECT)
    assert verdict.components == {"form": condition}
    assert behind.asked == 0


@pytest.mark.parametrize("status", [rlvr.Status.UNPARSABLE, rlvr.Status.LIMIT])
def test_a_gate_says_why_it_stays_shut(status: rlvr.Status) -> None:
    assert scored(gives("form", 0, status) >> gives("answer", 1)).status is status


def test_a_gate_with_an_unscored_side() -> None:
    behind = gives("answer", 1)
    assert judged(fails("form") >> behind) == fails("form").verdict
    assert behind.asked == 0
    assert judged(gives("form", 1) >> fails("answer")) == fails("answer").verdict
    assert scored(gives("form", 0) >> fails("answer")).reward == 0


def test_a_shut_gate_runs_nothing_in_a_worker(tmp_path: Path) -> None:
    class Leaves(rlvr.Verifier):
        name = "leaves"

        def verify(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
            Path(response).touch()
            return rlvr.Scored(1.0, rlvr.Status.CORRECT)

    traces = [str(tmp_path / "shut"), str(tmp_path / "open")]
    rlvr.score([TASK], traces[:1], gives("form", 0) >> Leaves())
    rlvr.score([TASK], traces[1:], gives("form", 1) >> Leaves())
    assert [path.name for path in tmp_path.iterdir()] == ["open"]


@pytest.mark.parametrize(
    ("a", "b", "least", "greatest"), [(1, 1, 1, 1), (1, 0.5, 0.5, 1), (0, 0.5, 0, 0.5)]
)
def test_all_is_the_least_and_any_the_greatest(
    a: float, b: float, least: float, greatest: float
) -> None:
    every, any_of = (
        scored(AllOf(gives("a", a), gives("b", b))),
        scored(AnyOf(gives("a", a), gives("b", b))),
    )
    assert (every.reward, any_of.reward) == (least, greatest)
    assert every.components == any_of.components == {"a": a, "b": b}
    assert (every.status is rlvr.Status.CORRECT) == (least == 1)
    assert (any_of.status is rlvr.Status.CORRECT) == (greatest == 1)


def test_what_is_known_decides_beside_an_unscored_part() -> None:
    assert scored(AllOf(fails("a"), gives("b", 0))).reward == 0
    assert judged(AllOf(fails("a"), gives("b", 0.5))) == fails("a").verdict
    assert judged(AllOf(gives("b", 1), fails("a"))) == fails("a").verdict
    assert scored(AnyOf(fails("a"), gives("b", 1))).reward == 1
    assert judged(AnyOf(fails("a"), gives("b", 0.5))) == fails("a").verdict
    assert judged(AnyOf(gives("b", 0), fails("a"))) == fails("a").verdict
    assert judged(AllOf(fails("a"), fails("b"))) == fails("a").verdict


def test_composites_nest() -> None:
    inner = 0.5 * gives("a", 1) + 0.5 * gives("b", 0)
    verdict = scored(gives("form", 1) >> AllOf(AnyOf(inner, gives("c", 0)), gives("d", 1)))
    assert verdict.reward == 0.5
    assert verdict.components == {"form": 1, "a": 1, "b": 0, "c": 0, "d": 1}
    assert scored(AnyOf(fails("x") >> gives("y", 1), gives("z", 1))).reward == 1


def test_names_may_not_clash() -> None:
    with pytest.raises(OptionError, match=r"'a'.*part\.name"):
        AllOf(gives("a", 1), gives("b", 1) >> gives("a", 1))
    with pytest.raises(OptionError, match="'a'"):
        gives("a", 1) + gives("a", 1)


@pytest.mark.parametrize("kind", [AllOf, AnyOf])
def test_a_composite_needs_a_part(kind: type[Composite]) -> None:
    with pytest.raises(OptionError, match="at least one"):
        kind()


def test_configure_reaches_the_parts_that_have_the_option() -> None:
    plain = rlvr.Format.boxed()
    before = Gate(plain, 0.5 * gives("a", 1) + 0.5 * gives("b", 1))
    after = before.configure(shout=True)
    assert [getattr(leaf, "shout", None) for leaf in leaves(after)] == [None, True, True]
    assert [getattr(leaf, "shout", None) for leaf in leaves(before)] == [None, False, False]
    with pytest.raises(OptionError, match="an option 'loud'"):
        before.configure(loud=True)


class Says(Gives):
    """Full marks for its own word."""

    def settle(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
        if response == self.shows:
            return rlvr.Scored(1.0, rlvr.Status.CORRECT)
        return rlvr.Scored(0.0, rlvr.Status.INCORRECT)

    verify = settle


def says(name: str, word: str | None) -> Says:
    return Says(name, rlvr.Unscored(rlvr.Cause.INTERNAL, ""), word)


def test_demonstrate_earns_the_whole_its_full_reward() -> None:
    assert (says("a", None) >> gives("b", 1)).demonstrate(TASK) is None
    assert (gives("form", 1) >> says("a", "x")).demonstrate(TASK) == "x"
    assert AnyOf(says("a", "x"), says("b", "y")).demonstrate(TASK) == "x"
    assert AllOf(says("a", "x"), says("b", "y")).demonstrate(TASK) is None
    assert (-1 * says("a", "x") + says("b", "y")).demonstrate(TASK) == "y"


def test_versions_add_up() -> None:
    a, b = gives("a", 1), gives("b", 1)
    before = (a + b).version
    b.version += 1
    assert (a + b).version > before


def test_an_async_part_needs_the_scorer() -> None:
    class Later(rlvr.Verifier):
        name = "later"

        async def verify(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
            return rlvr.Scored(1.0, rlvr.Status.CORRECT, {"later": 1.0})

    verifier = gives("a", 1) >> Later()
    with pytest.raises(TypeError, match=r"rlvr\.score"):
        verifier.verify(TASK, "response")
    (verdict,) = rlvr.score([TASK], ["response"], verifier)
    assert float(verdict) == 1.0


def test_demonstrate_thinks_where_a_part_asks_for_it() -> None:
    verifier = rlvr.Format.think() >> rlvr.Math()
    task = rlvr.Task("6 times 7?", "42")
    shown = verifier.demonstrate(task)
    assert shown is not None
    assert shown.startswith("<think>")
    (verdict,) = rlvr.score([task], [shown], verifier)
    assert isinstance(verdict, rlvr.Scored)
    assert verdict.reward == 1.0


def test_a_right_answer_passes_a_gate_whose_condition_names_its_status_by_a_string() -> None:
    polite = Gives("polite", rlvr.Scored(1.0, "correct"))
    assert scored(polite >> gives("b", 1)).reward == 1.0


def test_details_of_the_same_name_are_kept_by_part() -> None:
    judges = [
        Gives(name, rlvr.Scored(1.0, "correct", {name: 1.0}, f"{name} agrees", {"votes": [name]}))
        for name in ("a", "b", "c")
    ]
    verdict = scored(judges[0] + judges[1] + judges[2])
    parts = verdict.detail["parts"]
    assert {name: part["detail"] for name, part in parts.items()} == {
        name: {"votes": [name]} for name in ("a", "b", "c")
    }
    assert [part["feedback"] for part in parts.values()] == ["a agrees", "b agrees", "c agrees"]
    assert verdict.feedback == "a: a agrees; b: b agrees; c: c agrees"


def test_details_of_nested_parts_are_kept_by_part() -> None:
    judges = [
        Gives(name, rlvr.Scored(1.0, "correct", {name: 1.0}, "", {"votes": [name]}))
        for name in ("a", "b", "c", "d")
    ]
    verdict = scored((judges[0] >> judges[1]) + AnyOf(judges[2], judges[3]))
    parts = verdict.detail["parts"]
    assert {name: part["detail"] for name, part in parts.items()} == {
        name: {"votes": [name]} for name in ("a", "b", "c", "d")
    }


def test_a_part_without_a_verdict_is_among_the_parts() -> None:
    broken = Gives("broken", rlvr.Unscored("judge", "nobody answered"))
    verdict = scored(1.0 * gives("a", 1) + 0.0 * broken)
    entry = verdict.detail["parts"]["broken"]
    assert entry == {"cause": "judge", "message": "nobody answered", "detail": {}}
    zero = scored(AnyOf(gives("a", 1), broken))
    assert set(zero.detail["parts"]) == {"a", "broken"}


def test_a_part_without_a_name_has_its_class_name() -> None:
    class Polite(rlvr.Verifier):
        def verify(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
            return rlvr.Scored(1.0, "correct", {self.name: 1.0})

    assert scored(Polite() + gives("b", 1)).components == {"polite": 1.0, "b": 1.0}


def test_a_composite_is_shown_with_its_weights() -> None:
    assert repr(0.9 * rlvr.Math() + 0.1 * rlvr.Format.boxed()).startswith("0.9 * Math()")
