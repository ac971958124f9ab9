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
    """The words of `text`, which is how long lists of words stand in these modules."""
    return frozenset(text.split())


FUNCTIONS = words_of(
    "sin cos tan cot sec csc arcsin arccos arctan arccot sinh cosh tanh ln log lg exp"
)
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
        "perp parallel angle triangle star ast cdots ldots deg ddots vdots nabla partial Re Im over"
    )
)
STYLES = words_of(
    "mathbf mathrm mathit mathsf mathcal boldsymbol bm pmb underline text textbf operatorname"
)
"""Commands that change the look of what follows in braces, and nothing else."""

WORDS = FUNCTIONS | {"sqrt", "pi", "and", "or", "infinity", "mod", "exp", "inf", "cbrt"}
UNITS = {
    spelling: canonical
    for canonical, spellings in {
        "mm": "mm millimeter millimeters millimetre millimetres",
        "cm": "cm centimeter centimeters centimetre centimetres",
        "m": "meter meters metre metres",
        "km": "km kilometer kilometers kilometre kilometres",
        "in": "inch inches",
        "ft": "ft foot feet",
        "yd": "yd yard yards",
        "mi": "mile miles",
        "mg": "mg milligram milligrams",
        "g": "gram grams",
        "kg": "kg kilogram kilograms",
        "lb": "lb lbs pound pounds",
        "oz": "oz ounce ounces",
        "ton": "ton tons tonne tonnes",
        "s": "sec secs second seconds",
        "min": "minute minutes mins",
        "h": "hr hrs hour hours",
        "day": "day days",
        "week": "week weeks",
        "month": "month months",
        "year": "yr yrs year years",
        "mi/h": "mph",
        "km/h": "kph kmh",
        "ml": "ml milliliter milliliters millilitre millilitres",
        "L": "liter liters litre litres",
        "gal": "gal gallon gallons",
        "J": "joule joules",
        "N": "newton newtons",
        "W": "watt watts",
        "V": "volt volts",
        "Hz": "hz hertz",
        "mol": "mol moles",
        "$": "dollar dollars usd bucks",
        "c": "cent cents",
        "€": "euro euros",
        "%": "percent pct",
        "deg": "degree degrees",
        "rad": "radian radians rad",
        "unit": "unit units",
        "am": "am a.m a.m.",
        "pm": "p.m p.m.",
    }.items()
    for spelling in spellings.split()
}
# Letters that are units only where they stand in \text{…}: elsewhere they are variables.
UNITS_IN_TEXT = {
    "m": "m", "g": "g", "s": "s", "h": "h", "in": "in", "l": "L", "mi": "mi", "min": "min",
    "pm": "pm", "yd": "yd",
}  # fmt: skip
