"""Metamorphic: expressions made at random, whose value is known, in forms written at random."""

import contextlib
from fractions import Fraction

from hypothesis import assume, given, settings
from hypothesis import strategies as st

import rlvr
from rlvr.verifiers.math.answer import readings
from rlvr.verifiers.math.clean import clean
from rlvr.verifiers.math.estimates import apart
from rlvr.verifiers.math.lexer import Unreadable
from rlvr.verifiers.math.normal import normal
from rlvr.verifiers.math.reader import read
from rlvr.verifiers.math.tree import Num

numbers = st.integers(-50, 50)


@st.composite
def expressions(draw, depth=3):
    """(LaTeX, exact value): sums, products, quotients and small powers of integers."""
    if depth == 0 or draw(st.booleans()):
        n = draw(numbers)
        return (str(n) if n >= 0 else f"({n})"), Fraction(n)
    kind = draw(st.sampled_from(["+", "-", "*", "frac", "/", "^", "group", "neg"]))
    left, a = draw(expressions(depth=depth - 1))
    if kind == "^":
        n = draw(st.integers(0, 4))
        return f"\\left({left}\\right)^{{{n}}}", a**n
    if kind == "group":
        return draw(st.sampled_from([f"({left})", f"{{{left}}}", f"[{left}]"])), a
    if kind == "neg":
        return f"(-{left})", -a
    right, b = draw(expressions(depth=depth - 1))
    if kind == "+":
        return f"({left} + {right})", a + b
    if kind == "-":
        return f"({left} - ({right}))", a - b
    if kind == "*":
        times = draw(st.sampled_from([" \\cdot ", "*", " \\times ", "·"]))
        return f"({left}){times}({right})", a * b
    assume(b != 0)
    if kind == "frac":
        return f"\\{draw(st.sampled_from(['frac', 'dfrac', 'tfrac']))}{{{left}}}{{{right}}}", a / b
    return f"(({left})/({right}))", a / b


@given(expressions())
@settings(max_examples=300, deadline=None)
def test_value_is_exact(case):
    text, value = case
    (answer, *_) = readings(clean(text))
    assert normal(answer.tree) == Num(value), text


@given(expressions(), st.integers(-3, 3))
@settings(max_examples=150, deadline=None)
def test_verdict_follows_the_value(case, shift):
    text, value = case
    task = rlvr.Task("", str(value + shift))
    (verdict,) = rlvr.score([task], [f"\\boxed{{{text}}}"], rlvr.Math(unevaluated=True))
    assert (verdict.reward == 1.0) is (shift == 0), (text, value, verdict)


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(Unreadable):
        readings(clean(text))


@given(st.text(alphabet="\\{}()[]^_+-*/=<>,.|!%$& 0123456789xyzfracsqtpi", max_size=80))
@settings(max_examples=500, deadline=None)
def test_mathematical_noise_never_earns_or_raises(text):
    for gold in ("918273", "\\frac{918}{273}", "(918, 273)"):
        for response in (text, f"\\boxed{{{text}}}", f"${text}$"):
            verdict = rlvr.Math("flexible").verify(rlvr.Task("", gold), response)
            assert isinstance(verdict, rlvr.Scored)
            assert verdict.reward == 0.0 or "918" in text


@given(st.integers(1, 10**12), st.integers(1, 10**6))
def test_near_misses_of_numbers(n, d):
    verifier = rlvr.Math()
    value = Fraction(n, d)
    task = rlvr.Task("", f"\\frac{{{n}}}{{{d}}}")
    (right, wrong) = rlvr.score(
        [task] * 2,
        [
            f"\\boxed{{\\frac{{{value.numerator}}}{{{value.denominator}}}}}",
            f"\\boxed{{\\frac{{{value.numerator + 1}}}{{{value.denominator}}}}}",
        ],
        verifier,
    )
    assert (right.reward, wrong.reward) == (1.0, 0.0)


def test_values_are_told_apart_at_once_only_if_they_differ():
    equal = [
        (r"\sqrt{2}+\sqrt{3}", r"\sqrt{5+2\sqrt{6}}"),
        (r"(1+\sqrt2)^{64}(\sqrt2-1)^{64}", "1"),
        (r"\sqrt[3]{-8}", "-2"),
        (r"\sqrt[10^{20}+3-10^{20}]{8}", "2"),
        (r"(2+3i)^{4}", "-119-120i"),
        (r"\frac{1}{1-i}", r"\frac{1+i}{2}"),
        (r"\sin(10^{30}\pi)", "0"),
        (r"\ln(e^{10^{6}})", "10^{6}"),
        ("(x-1)(x+1)", "x^2-1"),
        (r"\cos^2 x", r"1-\sin^2 x"),
        ("(-1)^{2n}", "1"),
        ("1+10^{-30}", "1+2*10^{-30}"),  # too near to tell
    ]
    for one, other in equal:
        assert not apart(read(one), read(other)), one
    other = [(r"\sqrt{51}", r"\sqrt{66}"), ("6+9i", "4"), (r"\frac{1}{x}", "x"), (r"\pi", "3.14")]
    for one, another in other:
        assert apart(read(one), read(another)), one
