"""The same answer written in one way: notation that carries no meaning is taken off.

String work alone: linear, bounded, safe in the caller's thread.
"""

from __future__ import annotations

import re
from functools import lru_cache

from rlvr.verifiers.math.characters import ascii_of
from rlvr.verifiers.statements import closing

MAX_LENGTH = 20_000
"""Characters; a longer answer isn't read."""
_REMEMBERED = 200  # characters

_RENAMES = {
    "\\dfrac": "\\frac",
    "\\tfrac": "\\frac",
    "\\cfrac": "\\frac",
    "\\sfrac": "\\frac",
    "\\nicefrac": "\\frac",
    "\\bigcup": "\\cup",
    "\\bigcap": "\\cap",
    "\\imath": "i",
    "\\textdegree": "^\\circ",
    "\\textcelsius": "^\\circ C",
    "\\euro": "€",
    "\\pounds": "£",
    "\\textsterling": "£",
    "\\texteuro": "€",
    "\\yen": "¥",
    "\\textyen": "¥",
    "\\surd": "\\sqrt",
    "\\dbinom": "\\binom",
    "\\tbinom": "\\binom",
    "\\leq": "\\le",
    "\\leqq": "\\le",
    "\\geqq": "\\ge",
    "\\geq": "\\ge",
    "\\leqslant": "\\le",
    "\\geqslant": "\\ge",
    "\\neq": "\\ne",
    "\\lt": "<",
    "\\gt": ">",
    "\\cdot": "*",
    "\\times": "*",
    "\\div": "/",
    "\\colon": ":",
    "\\ldots": "...",
    "\\dots": "...",
    "\\lbrace": "\\{",
    "\\rbrace": "\\}",
    "\\backslash": "\\setminus",
    "\\smallsetminus": "\\setminus",
    "\\land": "\\wedge",
    "\\lor": "\\vee",
    "\\jmath": "j",
    "\\%": "%",
}
# Sizes, spaces and styles: they change the look alone.
_DROPPED = {
    "\\left", "\\right", "\\big", "\\Big", "\\bigg", "\\Bigg", "\\bigl", "\\bigr", "\\Bigl",
    "\\Bigr", "\\displaystyle", "\\textstyle", "\\limits", "\\quad", "\\qquad", "\\,", "\\;",
    "\\:", "\\!", "\\ ", "~", "\\n", "\\nolimits", "\\boxed", "\\fbox",
    "\\scriptstyle", "\\ensuremath", "\\therefore", "\\because", "\\small", "\\normalsize", "\\large", "\\Large", "\\LARGE", "\\huge", "\\Huge",
}  # fmt: skip
_COMMAND = re.compile(r"\\\\|\\(?:[a-zA-Z]+|[,;:! %])|~")
# Colours, spaces of a given width, and the width of the gap between two rows of a matrix.
_LOOKS = re.compile(
    r"\\(?:text)?color\s*\{[\w!]*\}|\\[hv]space\*?\s*\{[^{}]*\}|\\[hv]?phantom\s*(?:\{[^{}]*\}|[-+=])"
)
_ROW_GAP = re.compile(r"(\\\\)\s*\[\s*-?[\d.]+\s*(?:pt|em|ex|mm|cm)\s*\]")
_SPOKEN_BASE = re.compile(r"\\(?:text|mathrm)\s*+\{\s*+(?:\(\s*+)?base[ -](\w++)\s*+(?:\)\s*+)?\}")
_BRACKETED_MODULUS = re.compile(
    r"\(\s*(?:\\(?:text|mathrm|operatorname)\s*\{\s*mod\s*\}|\\mod|\\bmod|mod)(?:\s|\\ )*(\w+)\s*\)"
)
_EMPTY_FENCE = re.compile(r"\\(?:left|right)\s*\.")
_APART = re.compile(r"\\q?quad\s*(?=(?:[a-zA-Z]|\\[a-z]+)(?:_(?:\w|\{\w+\}))?\s*=)")
_SPOKEN_MODULUS = re.compile(
    r"\\(?:text|mathrm)\s*\{\s*\(\s*mod\s*(?:(\w+)\s*\)\s*\}|\}\s*(\w+)\s*\))"
)
_LONGEST = re.compile(r"\\q?quad(?=[a-zA-Z])")  # "\quadx", run together by careless spacing
# Thousands marked as such in LaTeX, or by a thin space.
# (A comma with a thin space behind it separates values.)
_MARKED_THOUSANDS = re.compile(r"(?<=\d)(?:,\\! ?| ?\\[,!;:] ?)(?=\d{3}(?!\d))")
_BRACED_COMMA = re.compile(r"(?<=\d)\{,\}(?=\d)(\d{3}(?!\d))?")
_EXPONENT = re.compile(
    r"(?<![A-Za-z\\\d.])(\d+(?:\.\d+)?)[eE]\{?([-+]?)(\d{1,4})\}?(?![\d.A-Za-z_])"
)
_DOTTED = re.compile(r"(?:\\dot\s*(?:\{\s*\d\s*\}|\d)\s*)(?:\d*\s*\\dot\s*(?:\{\s*\d\s*\}|\d))?")
_BRACKETED_PERIOD = re.compile(r"(?<![\d.])(\d*\.\d*)\((\d+)\)(?!\s*[\d^!(])")
_GOES_ON = re.compile(r"(?<![\d.])(\d*\.)(\d{3,40})\s*(?:\.\.\.|\\[lc]?dots\b)")
_ANGLE = re.compile(r"\\ang\s*\{([^{};]*)(?:;([^{};]*))?(?:;([^{};]*))?\}")
_NAMED_MONEY = re.compile(r"\b(?:Rs\.?|INR)\s*(?=\d)")
_SPLIT_UNIT = re.compile(
    r"\\mu\s*\\(?:text|mathrm)\s*\{\s*(?=[a-zA-Z])|\\(?:text|mathrm)\s*\{\s*(?P<prefix>[kMmG])\s*\}\s*\\Omega"
)
_WRITTEN_BASE = re.compile(
    r"(?<=[0-9A-Fa-f])\s*(?:\\(?:text|mathrm)\s*\{\s*\(?base\s*\}\s*|\(?base )(\d+)\)?$"
)
_TEXT_BASE = re.compile(r"\\(?:text|mathrm)\s*\{\s*([0-9A-Za-z]+)\s*\}\s*(?=_)")
_NEGATED = re.compile(r"\\not\s*=")
_SPACED_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?: \d{3})+(?![\d])")
_APOSTROPHES = re.compile(r"(?<![\d.,'])[1-9]\d{0,2}(?:'\d{3})+(?![\d'])")
_COMMA_THOUSANDS = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:,\d{3})+(?![\d,])")
_DELIMITED = re.compile(r"(?:\$\$?|\\\(|\\\[)(.*?)(?:\$\$?|\\\)|\\\])", re.DOTALL)
_WRAPPED = re.compile(
    r"\\(?:boxed|fbox|text[a-z]*|mathrm|mathbf|mathit|mathsf|mathtt|mbox|operatorname|emph)\s*\{"
)
_MONEY = re.compile(
    r"(?:\b(?:US|USD|AU|CA|HK|NT|A|C|S)\s?)?(?:\\\$|\$)\s?(?=[-\d.])|\bUSD\s?(?=[-\d.])"
)
_DELIMITER = re.compile(r"(?<!\\)\$")
_DOUBLED = re.compile(r"\\\\(?=[a-zA-Z(){}\[\]%$])")


def clean(answer: str) -> str:
    """`answer` without delimiters, spacing commands, and the like; "" where it's too long to read.

    Thousands separators go where they can't be anything else: `1{,}234` and `1 234`. A plain
    comma stays; see `without_commas`.
    """
    if len(answer) > MAX_LENGTH:
        return ""
    if len(answer) > _REMEMBERED:
        return _cleaned(answer)
    return _remembered(answer)


def _cleaned(answer: str) -> str:
    text = answer.strip()
    if text.endswith("\\") and not text.endswith("\\\\"):  # "\\ 21\\ ", whose last space is gone
        text = text[:-1].rstrip()
    dotted = text.endswith(("...", "dots", "…"))
    if not text.isascii():
        text = ascii_of(text)
    if "\\\\" in text and "\\begin" not in text and "\\\\begin" not in text:
        text = _DOUBLED.sub(r"\\", text)
    text = _unwrapped(text, dotted)
    if "$" in text or text.startswith("USD"):
        text = _MONEY.sub(r"\\$", text)
        text = _DELIMITER.sub(" ", text)
    if "{,}" in text:
        text = _BRACED_COMMA.sub(lambda m: (m[1] or "") if m[1] else ".", text)
    if "{:}" in text:
        text = text.replace("{:}", ":")
    if "\\" in text or "~" in text:
        if "color" in text or "space" in text or "phantom" in text:
            text = _LOOKS.sub(" ", text)
        if "base" in text:
            text = _WRITTEN_BASE.sub(r"_{\1}", text)
            text = _SPOKEN_BASE.sub(r"_{\1}", text)
        if "quad" in text:
            text = _APART.sub(", ", text)
        text = _EMPTY_FENCE.sub("", text)
        if "mod" in text:
            text = _BRACKETED_MODULUS.sub(r"\\pmod{\1}", text)
            text = _SPOKEN_MODULUS.sub(r"\\pmod{\1\2}", text)
        if "\\\\" in text:
            text = _ROW_GAP.sub(r"\1 ", text)
        text = _MARKED_THOUSANDS.sub("", text)
        if "\\dot" in text:
            text = _DOTTED.sub(_repeating, text)
        if "\\ang" in text:
            text = _ANGLE.sub(_angle, text)
        if "\\mu" in text or "\\Omega" in text:
            text = _SPLIT_UNIT.sub(_joined_unit, text)
        if "_" in text:
            text = _TEXT_BASE.sub(r"\1", text)
        text = _NEGATED.sub(r"\\ne ", text)
        text = _LONGEST.sub(" ", text)
        text = _COMMAND.sub(_command, text)
        text = text.replace("\\(", " ").replace("\\)", " ").replace("\\[", " ").replace("\\]", " ")
    if "e" in text or "E" in text:
        text = _EXPONENT.sub(r"\1*10^{\2\3}", text)
    if "." in text:
        text = _BRACKETED_PERIOD.sub(r"\1\\overline{\2}", text)
        text = _GOES_ON.sub(_period, text)
    if "'" in text and _APOSTROPHES.search(text):
        text = _APOSTROPHES.sub(lambda m: m.group().replace("'", ""), text)
    if "Rs" in text or "INR" in text:
        text = _NAMED_MONEY.sub("₹", text)
    if text.startswith(("+/-", "+-", "-/+")):
        text = "\\pm " + text.lstrip("+/-")
    if " " in text:
        text = _SPACED_THOUSANDS.sub(lambda m: m.group().replace(" ", ""), text)
    if not dotted:  # "3, 5, …" goes on
        text = text.strip().rstrip(".,;:")
    text = text.strip(" *`\n")
    if text.endswith(("^", "_")):
        text += "*"  # of \mathbb{N}^*, and no emphasis
    return " ".join(text.split())


# A group's answers are often the same, and a right one is often written as the reference is.
_remembered = lru_cache(maxsize=2048)(_cleaned)


def _repeating(match: re.Match[str]) -> str:
    """Return the digits under dots, and those between two of them, as a period."""
    return f"\\overline{{{re.sub('[^0-9]', '', match.group())}}}"


def _period(match: re.Match[str]) -> str:
    """0.333… with its period under a bar, where one shows; else as it stands."""
    whole, digits = match.groups()
    for length in range(1, len(digits) // 2 + 1):
        times = 3 if length == 1 else 2
        period = digits[-length:]
        if digits.endswith(period * times):
            before = digits[: -length * times].removesuffix(period)
            return f"{whole}{before}\\overline{{{period}}}"
    return match.group()


def _joined_unit(match: re.Match[str]) -> str:
    """Return a prefix that's written apart from its unit, with it."""
    prefix = match["prefix"]
    return f"\\text{{{prefix}Ω}}" if prefix else "\\text{µ"


def _angle(match: re.Match[str]) -> str:
    """siunitx's angles: degrees, minutes and seconds."""
    signs = ("^\\circ ", "' ", "'' ")
    parts = zip(match.groups(), signs, strict=True)
    return "".join(f"{part.strip()}{sign}" for part, sign in parts if part and part.strip())


def without_commas(text: str) -> str | None:
    """`text` with its commas read as thousands separators, or None where they can't be.

    "1,234" is a number, or two. Inside brackets a comma always separates values.
    """
    if "," not in text or not _COMMA_THOUSANDS.search(text) or any(c in text for c in "([{"):
        return None
    return _COMMA_THOUSANDS.sub(lambda m: m.group().replace(",", ""), text)


def _command(match: re.Match[str]) -> str:
    command = match.group()
    if command in _DROPPED:
        return " "
    return _RENAMES.get(command, command)


def _unwrapped(text: str, dotted: bool) -> str:
    r"""Without dollars, \[…\], \boxed{…}, \text{…} and Markdown around the whole, however often."""
    for _ in range(8):
        before = text
        text = text.removeprefix('\\"').removesuffix('\\"').strip('* \n`"')
        if text[:1] in ("$", "\\"):
            delimited = _DELIMITED.fullmatch(text)
            if delimited and "$" not in delimited.group(1):
                text = delimited.group(1).strip()
            wrapped = _WRAPPED.match(text)
            if wrapped and text[-1:] == "}" and closing(text, wrapped.end() - 1) == len(text) - 1:
                inside = text[wrapped.end() : -1].strip()
                if len(inside) == 2 and inside.isalpha() and "text" in wrapped.group():
                    return text  # \\text{no} is no product of n and o
                text = inside
        text = text if dotted else text.rstrip(".")
        if text == before:
            return text
    return text
