r"""Unicode as LaTeX: x⁵ as x^{5}, √57 as \sqrt{57}, ５ as 5.

What a character stands for is taken from Unicode's own tables where those know it; the tables here hold
the signs that LaTeX has commands for.
"""

from __future__ import annotations

import re
import unicodedata

_SIGNS = str.maketrans({
    "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "‒": "-", "﹣": "-", "×": "*", "·": "*", "⋅": "*", "∗": "*", "•": "*",
    "∙": "*", "✕": "*", "÷": "/", "∕": "/", "⁄": "/", "∶": ":", "≤": r"\le ", "≥": r"\ge ", "⩽": r"\le ",
    "⩾": r"\ge ", "≦": r"\le ", "≧": r"\ge ", "≠": r"\ne ", "≈": r"\approx ", "≃": r"\approx ", "≅": r"\approx ",
    "≒": r"\approx ", "≡": r"\equiv ", "∼": r"\sim ", "∞": r"\infty ", "∪": r"\cup ", "⋃": r"\cup ", "∩": r"\cap ",
    "⋂": r"\cap ", "∈": r"\in ", "∉": r"\notin ", "∅": r"\emptyset ", "⌀": r"\emptyset ", "∖": r"\setminus ", "±": r"\pm ",
    "∓": r"\mp ", "°": r"^\circ ", "º": r"^\circ ", "˚": r"^\circ ", "℃": r"^\circ C", "℉": r"^\circ F",
    "∠": r"\angle ", "△": r"\triangle ", "Δ": r"\Delta ", "∆": r"\Delta ", "∴": " ", "∵": " ", "⊥": r"\perp ", "∥": r"\parallel ",
    "⌊": r"\lfloor ", "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ", "⟨": r"\langle ", "⟩": r"\rangle ",
    "〈": r"\langle ", "〉": r"\rangle ", "∧": r"\wedge ", "∨": r"\vee ", "∀": r"\forall ", "∃": r"\exists ",
    "→": r"\to ", "⇒": r"\Rightarrow ", "∑": r"\sum ", "∏": r"\prod ", "∫": r"\int ", "∂": r"\partial ", "∇": r"\nabla ",
    "ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}", "ℕ": r"\mathbb{N}", "ℚ": r"\mathbb{Q}", "ℂ": r"\mathbb{C}",
    "’": "'", "‘": "'", "′": "'", "″": "''", "“": '"', "”": '"', "、": ",", "。": ".", "｡": ".", "；": ";", "…": "...", "¢": r"\text{ cents}",
    "⊂": r"\subset ", "∣": r"\mid ", "¬": r"\neg ",
})  # fmt: skip
_GREEK = dict(zip(
    "αβγδεζηθικλμνξπρστυφχψωΓΘΛΞΠΣΥΦΨΩϵϕϑϖϱς",
    ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega", "Gamma", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega", "epsilon", "phi", "theta", "pi", "rho", "sigma"],
    strict=True,
))  # fmt: skip
_RAISED = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱˣʸᵃᵇᵏᵐᵗ]+")
_LOWERED = re.compile(r"[₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₒₓₕₖₗₘₙₚₛₜᵢⱼ]+")
_ROOT = re.compile(r"([√∛∜])\s*(?:([\d.]+|[^\W\d_])|(?=[({|\\]))")
_DEGREES = {"√": "", "∛": "[3]", "∜": "[4]"}
_MICRO = re.compile(r"[µμ](?=(?:[mgsALVFWHJNC]|mol|Pa|Hz)(?![a-zA-Z]))")
_REPEATED = re.compile(r"(?:\d[\u0304\u0305\u0307])+")
_OVERLAID = re.compile(r"([=<>])\u0338")


def ascii_of(text: str) -> str:
    """Return `text` with Unicode's mathematical characters as LaTeX; letters of other scripts stay."""
    text = _MICRO.sub("\\\\text{µ}", text) if "µ" in text or "μ" in text else text
    text = _OVERLAID.sub(r"\\ne ", text)
    text = _REPEATED.sub(lambda m: rf"\overline{{{re.sub(r'[^0-9]', '', m.group())}}}", text)
    text = _RAISED.sub(lambda m: f"^{{{_plain(m.group())}}}", text)
    text = _LOWERED.sub(lambda m: f"_{{{_plain(m.group())}}}", text)
    text = "".join(map(_fraction, text))
    text = _ROOT.sub(_root, text).translate(_SIGNS)
    return text if text.isascii() else "".join(map(_character, text))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).replace("−", "-")


def _fraction(char: str) -> str:
    """Return ½ as \\frac{1}{2}."""
    if char.isascii() or unicodedata.category(char) != "No":
        return char
    top, slash, bottom = unicodedata.normalize("NFKC", char).partition("⁄")
    return rf"\frac{{{top}}}{{{bottom}}}" if slash and bottom else char


def _root(match: re.Match[str]) -> str:
    sign, inside = match.groups()
    return rf"\sqrt{_DEGREES[sign]}" + (f"{{{inside}}}" if inside else "")


def _character(char: str) -> str:
    if char.isascii():
        return char
    if char in _GREEK:
        return f"\\{_GREEK[char]} "
    category = unicodedata.category(char)
    if category in ("Cf", "Mn"):
        return ""
    if category.startswith("Z"):
        return " "
    if category == "Nd":
        return str(unicodedata.digit(char))
    same = unicodedata.normalize("NFKC", char)
    return same.translate(_SIGNS) if len(same) == 1 and same != char else char
