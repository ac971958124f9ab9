"""What an author may set."""

import pytest

import rlvr
from rlvr.core.errors import OptionError


def reward(gold, answer, **options):
    (verdict,) = rlvr.score([rlvr.Task("", gold)], [f"\\boxed{{{answer}}}"], rlvr.Math(**options))
    assert isinstance(verdict, rlvr.Scored)
    return verdict.reward


CASES = [
    # option, gold, answer, reward by default, reward with the option
    ({"ordered": True}, "1, 2, 3", "3, 2, 1", 1, 0),
    ({"ordered": True}, "1, 2, 3", "1, 2, 3.0", 1, 1),
    ({"units": "required"}, "10 \\text{ cm}", "10", 1, 0),
    ({"units": "required"}, "10 \\text{ cm}", "10 \\text{ centimeters}", 1, 1),
    ({"units": "required"}, "10", "10", 1, 1),
    ({"units": "ignored"}, "10 \\text{ cm}", "10 \\text{ kg}", 0, 1),
    ({"simplified": True}, "\\frac{1}{2}", "\\frac{2}{4}", 1, 0),
    ({"simplified": True}, "\\frac{1}{2}", "\\frac{1}{2}", 1, 1),
    ({"simplified": True}, "2\\sqrt{2}", "\\sqrt{8}", 1, 0),
    ({"simplified": True}, "\\frac{\\sqrt{3}}{3}", "\\frac{1}{\\sqrt{3}}", 1, 0),
    ({"simplified": True}, "2\\sqrt{2}", "2\\sqrt2", 1, 1),
    ({"unevaluated": True}, "42", "6 \\cdot 7", 0, 1),
    ({"unevaluated": True}, "42", "\\frac{84}{2}", 0, 1),
    ({"unevaluated": True}, "42", "6 \\cdot 8", 0, 0),
    ({"rounded": True}, "0.33", "\\frac13", 0, 1),
    ({"rounded": True}, "0.34", "\\frac13", 0, 0),
    ({"rounded": True}, "\\pi", "3.142", 0, 1),
    ({"rounded": True}, "\\pi", "3.1", 0, 0),
    ({"rounded": True}, "\\frac{1}{12}", "0.0833333333333333", 0, 1),
    ({"rounded": True}, "4.123105625617661", "\\sqrt{17}", 0, 1),
    ({"rounded": True}, "3", "3.2", 0, 0),
    ({"tolerance": 0.01}, "2.5", "2.505", 0, 1),
    ({"tolerance": 0.01}, "2.5", "2.52", 0, 0),
    ({"rename": True}, "2a+1", "2b+1", 0, 1),
    ({"rename": True}, "2a+1", "2b+2", 0, 0),
    ({"rename": True}, "f(x)", "f(y)", 0, 1),
]


@pytest.mark.parametrize(("option", "gold", "answer", "plain", "with_it"), CASES)
def test_option(option, gold, answer, plain, with_it):
    assert reward(gold, answer) == plain
    assert reward(gold, answer, **option) == with_it


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "boxes"},
        {"units": "maybe"},
        {"ordered": 1},
        {"tolerance": -1},
        {"tolerance": "0.1"},
        {"tolerance": float("nan")},
        {"tolerance": True},
        {"nonsense": True},
    ],
)
def test_a_wrong_option_is_refused(options):
    with pytest.raises(OptionError):
        rlvr.Math().configure(**options)


def test_configure_leaves_the_original_alone():
    verifier = rlvr.Math()
    changed = verifier.configure(mode="flexible", unevaluated=True)
    assert (verifier.mode, verifier.unevaluated) == ("boxed", False)
    assert (changed.mode, changed.unevaluated) == ("flexible", True)


def test_feedback_for_the_model_does_not_have_the_reference() -> None:
    hiding = rlvr.Math(hide_reference=True)
    for gold, answer in (
        ("739", "12"),
        ("x^2+739", "x"),
        ("739 cm", "739 kg"),
        ("\\{739\\}", "{1}"),
    ):
        (verdict,) = rlvr.score([rlvr.Task("?", gold)], [f"\\boxed{{{answer}}}"], hiding)
        assert verdict.status == "incorrect"
        assert verdict.feedback.startswith(f"'{answer}' is not the right answer")
        assert gold not in verdict.feedback
        (open_,) = rlvr.score([rlvr.Task("?", gold)], [f"\\boxed{{{answer}}}"], rlvr.Math())
        assert open_.reward == verdict.reward
