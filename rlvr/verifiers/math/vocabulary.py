"""The words and commands that the reader of answers knows, and its tokens."""

from __future__ import annotations

from typing import NamedTuple


class Unreadable(Exception):
    """The text isn't mathematics that the reader knows; the message says what it met."""


class Token(NamedTuple):
    """One token; see `lexer`."""

    kind: str
    text: str


END = Token("end", "")


def words_of(text: str) -> frozenset[str]:
    """Return the words of `text`, which is how long lists of words stand in these modules."""
    return frozenset(text.split())


FUNCTION_NAMES = {
    spelling: canonical
    for canonical, spellings in {
        "sin": "sin",
        "cos": "cos",
        "tan": "tan tg",
        "cot": "cot ctg cotg ctan",
        "sec": "sec",
        "csc": "csc cosec",
        "arcsin": "arcsin asin",
        "arccos": "arccos acos",
        "arctan": "arctan atan arctg",
        "arccot": "arccot acot arcctg arccotg",
        "arcsec": "arcsec asec",
        "arccsc": "arccsc acsc arccosec",
        "sinh": "sinh sh",
        "cosh": "cosh ch",
        "tanh": "tanh tgh th",
        "coth": "coth cth ctgh",
        "sech": "sech",
        "csch": "csch cosech",
        "arsinh": "arsinh arcsinh asinh argsinh arsh",
        "arcosh": "arcosh arccosh acosh argcosh",
        "artanh": "artanh arctanh atanh argtanh arth",
        "arcoth": "arcoth arccoth acoth arcth",
        "arsech": "arsech arcsech asech",
        "arcsch": "arcsch arccsch acsch",
        "ln": "ln",
        "log": "log",
        "lg": "lg",
        "exp": "exp",
        "cis": "cis",
        "sgn": "sgn sign signum",
        "floor": "floor",
        "ceil": "ceil",
        "re": "re Re",
        "im": "im Im",
    }.items()
    for spelling in spellings.split()
}
"""The functions of one argument: spelling to name."""

INVERSES = {
    name: f"ar{name}" if name.endswith("h") else f"arc{name}"
    for name in words_of("sin cos tan cot sec csc sinh cosh tanh coth sech csch")
}
FUNCTIONS = frozenset(FUNCTION_NAMES)
_IN_COMMANDS_ALONE = words_of("re im Re Im sh ch th tg sign")  # else words, or products of letters
GREEK = words_of(
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu "
    "xi rho sigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma "
    "Upsilon Phi Psi Omega ell hbar"
)
COMMANDS = (
    FUNCTIONS
    | GREEK
    | words_of(
        "frac binom sqrt pi infty emptyset varnothing cup cap setminus in notin subset pm mp le ge "
        "ne approx equiv sim mid circ degree lfloor rfloor lceil rceil langle rangle lvert rvert "
        "vert lVert rVert Vert overline bar vec hat overrightarrow sum prod int iint lim bmod pmod "
        "mod to rightarrow implies prime forall exists choose max min gcd lcm det wedge vee neg "
        "perp parallel angle triangle star ast top cdots ldots deg ddots vdots nabla partial Re Im over"
    )
)
STYLES = words_of(
    "mathbf mathrm mathit mathsf mathcal boldsymbol bm pmb underline text textbf operatorname"
)
"""Commands that change the look of what follows in braces, and nothing else."""

CONDITIONALS = {"if": "if", "otherwise": "otherwise", "else": "otherwise", "elsewhere": "otherwise"}
"""Words that only the rows of a piecewise function have: a value behind them depends on a condition."""

WORDS = (FUNCTIONS - _IN_COMMANDS_ALONE) | words_of("sqrt pi and or infinity mod exp inf cbrt")
