r"""Answers in words: "east", "(C)", "(C) 12", "Tuesday and Friday"; numbers, ordinals, dates and times of day as such."""

from __future__ import annotations

import re
from fractions import Fraction

from rlvr.verifiers.math import phrases
from rlvr.verifiers.math.remarks import CHANGING
from rlvr.verifiers.math.tree import Group, Num, Sym, Tree, Word
from rlvr.verifiers.math.vocabulary import FUNCTIONS, WORDS
from rlvr.verifiers.numerals import chinese_numeral, spelled

_LETTERED = re.compile(
    r"(?:\\(?:text[a-z]*|mathrm|mathbf|mathit|mbox|emph)\s*\{)?([^{}\\^_=+*/<>]*)\}?"
)
_TEXT_CHOICE = re.compile(r"\(\s*\\(?:text|textbf|mathrm|mathbf)\s*\{\s*([A-Za-z])\s*\}\s*\)")
_CHOICE = re.compile(r"(?:(?:[Oo]ption|[Cc]hoice|[Aa]nswer)[\s:]+)?\(?([A-Za-z])\)?[.:)]?")


_MATHEMATICAL = WORDS | FUNCTIONS
_WORDS = re.compile(r"[A-Za-z]+")
_JOINTS = re.compile(r" ?, ?(?:and|or) | ?, ?| and | or ")  # cleaned text has single spaces alone
_ARTICLE = re.compile(r"(?:the|an?) (?=\w{2})")
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th)\b")


_NTH = re.compile(
    r"([0-9]{1,9}) ?\^?\{?(?:\\(?:text|textrm|mathrm|mbox|textsuperscript) ?\{)? ?(st|nd|rd|th) ?\}{0,2}"
)


def ordinal(text: str) -> Num | None:
    """Return the number of an ordinal: 3 of "3rd" and 3^{rd}."""
    if text[-1:] not in "tdh}":
        return None
    match = _NTH.fullmatch(text)
    if match is None:
        return None
    digits, ending = match.groups()
    expected = (
        "th" if digits[-2:-1] == "1" else {"1": "st", "2": "nd", "3": "rd"}.get(digits[-1], "th")
    )
    return Num(Fraction(int(digits))) if ending == expected else None


def in_words(text: str) -> Tree | None:
    """Return the meaning of a cleaned `text` in words; None if it is mathematics or a quantity."""
    bracketed = _TEXT_CHOICE.fullmatch(text)
    if bracketed is not None:
        return Word(bracketed.group(1).lower())
    lettered = _LETTERED.fullmatch(text)
    if lettered is None:
        return None
    inside = _unquoted(lettered.group(1))
    number = spelled(inside) if inside.isascii() else chinese_numeral(inside)
    if number is not None:
        return Num(number)
    choice = _CHOICE.fullmatch(inside)
    if choice is not None and (choice.group(1).isupper() or inside != choice.group(1)):
        return Word(choice.group(1).lower())
    if not _is_prose(inside):
        return None
    parts = [part for part in _JOINTS.split(inside) if part]
    words = tuple(map(_phrase, parts))
    return words[0] if len(words) == 1 else Group("", words)


def _takes_back(answer: str, following: str) -> bool:
    """Return True if the text after a yes or a no may reverse it: "Yes, only if n = 1", "No, but …"."""
    if _POLAR_WORDS.search(following):
        return True
    if answer in ("no", "false"):
        return False
    words = set(re.findall(r"[a-z]+(?:'[a-z]+)?", following.lower()))
    denied = any(word.endswith("n't") for word in words)
    return denied or bool(
        words & (CHANGING | {"only", "sometimes", "rarely", "seldom", "impossible"})
    )


def letters(text: str) -> tuple[Word, bool] | None:
    r"""Return letters side by side as a word (IV, HT), and True if they are hardly a product; None for other texts.

    Lower-case letters are a product unless they are in \\text{…}; "no" never is.
    """
    inside = _STYLED.sub(r"\1", text)
    no = inside.lower() == "no"
    if not no and not re.fullmatch("[A-Z]{2,6}|[a-z]{2}", inside):
        return None
    meaning_found = phrases.meaning([inside.lower()])
    if isinstance(meaning_found, Word):  # DNE
        return meaning_found, True
    return Word(inside.lower()), inside != text or inside.isupper() or no


_WINS = re.compile(r"(?<=\w) (?:always |will |can |has a )?(?:wins?|winning strategy)\.?$")
_NO_SOLUTION = re.compile(
    "(?:该|此|原)?(?:方程组?|不等式组?)?(?:无|没有)(?:实数|整数)?[解根]|空集|∅"
)


def _phrase(text: str) -> Tree:
    """Return an answer in words, without an article, an ordinal's ending or punctuation."""
    lower = _ORDINAL.sub("", _ARTICLE.sub("", text.strip().lower(), count=1))
    lower = _WINS.sub("", lower)
    if _NO_SOLUTION.fullmatch(lower):
        return Sym("empty")
    words = re.findall(r"[^\W_]+|[+-](?=$)", lower)
    return phrases.meaning(words) or Word(" ".join(words))


def _unquoted(text: str) -> str:
    """Return a text without full stops and quotation marks around it; the prime of A' stays."""
    text = text.strip().strip('."').strip()
    return text.strip("'").strip() if text.startswith("'") else text


def _is_prose(text: str) -> bool:
    """Return True if a text is words rather than mathematics or a quantity."""
    if not text or text[0] in "([|" or text[0].isdigit() or text[0] in "-.$":
        return False
    words = [word.lower() for word in _WORDS.findall(text)]
    if any("\u3400" <= char <= "\u9fff" for char in text):
        return not any(char.isascii() and char.isalnum() for char in text)
    return any(len(word) >= 3 and word not in _MATHEMATICAL for word in words)


# ---------------------------------------------------------------------- times, dates, remainders, choices

_STYLED = re.compile(r"\\(?:text[a-z]*|mathrm|mathbf|mathit|mbox|emph)\s*\{([^{}]*)\}")
_TIME = re.compile(
    r"(?P<hour>\d{1,2})(?::(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?)?\s*(?P<half>[ap]\.?\s?m\.?)?",
    re.IGNORECASE,
)
_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_MONTH = re.compile("jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec", re.IGNORECASE)
_DAY = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?|(\d{4})")
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_CHINESE_DATE = re.compile(r"(?:(\d{4})年)?(\d{1,2})月(\d{1,2})[日号]")
_REMAINDER = re.compile(
    r"(-?\d+)\s*(?:,\s*)?(?:with\s+)?(?:a\s+)?(?:[Rr]|[Rr]em|[Rr]emainder)\.?\s*(?:of\s+)?(\d+)"
)
_POLAR = re.compile(r"(yes|no|true|false)\s*[,.;:!–—-]+\s*(\S.*)", re.IGNORECASE | re.DOTALL)
_POLAR_WORDS = re.compile(
    r"\b(?:yes|no|true|false|but|unless|except|maybe|perhaps|wait)\b", re.IGNORECASE
)
_CHOSEN = re.compile(
    r"(?:the |my |correct |right |best |final )*(?:answers?|options?|choices?|statements?)(?: (?:is|are))?[ :]*(?:options? |choices? )?"
    r"\(?([A-J])\)?", re.IGNORECASE
)  # fmt: skip
_CHINESE_CHOICE = re.compile(
    r"^(?:故|所以|因此|则|应|本题|正确)*(?:选择|选项|选|答案|答)(?:是|为|应选)*\s*[::]?\s*"
)
_LETTERS = re.compile(r"\(?[A-J]\)?(?:(?:\s*(?:,|;|and|&|、)\s*|\s*)\(?[A-J]\)?)+")


def meaning(text: str) -> tuple[Tree | None, str]:
    """Return the time of day, date, remainder, choices or yes that cleaned `text` is, with the text after a yes or no.

    The result is (None, "") for any other text.
    """
    plain = _STYLED.sub(r" \1 ", text).replace("\\", " ") if "\\" in text else text
    plain = " ".join(plain.split())
    if len(plain) > 200:
        return None, ""
    polar = _POLAR.fullmatch(plain)
    if polar is not None and not _takes_back(polar.group(1).lower(), polar.group(2)):
        return Word(polar.group(1).lower()), polar.group(2).lower()
    remainder = _REMAINDER.fullmatch(plain)
    if remainder is not None:
        return Word(f"{int(remainder.group(1))} remainder {int(remainder.group(2))}"), ""
    plain = _CHINESE_CHOICE.sub("", plain)
    choice = _CHOSEN.fullmatch(plain)
    if choice is not None and choice.group(1).isupper():
        return Word(choice.group(1).lower()), ""
    if re.fullmatch("[A-J]", plain):
        return Word(plain.lower()), ""
    return _choices(plain) or _date(plain) or _time(plain), ""


def is_remainder(tree: Tree) -> bool:
    """Return True for a quotient with a remainder, 7 R 3."""
    return isinstance(tree, Word) and " remainder " in tree.text


def _choices(text: str) -> Tree | None:
    """Return several letters of choices, whose order doesn't count: ACD, "A, C and D"."""
    if not _LETTERS.fullmatch(text):
        return None
    letters = re.findall("[A-J]", text)
    if len(set(letters)) < len(letters):
        return None
    return Group("letters", tuple(Word(letter.lower()) for letter in letters))


def _time(text: str) -> Tree | None:
    """Return a time of day with its seconds, 24 hours a day."""
    if text.lower() in ("noon", "midnight"):
        return Word("12:00:00" if text.lower() == "noon" else "00:00:00")
    match = _TIME.fullmatch(text)
    if match is None or (match["minute"] is None and match["half"] is None):
        return None
    hour, half = int(match["hour"]), (match["half"] or "").lower()
    if hour > (12 if half else 24) or (half and hour == 0):
        return None
    if half:
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    return Word(f"{hour:02}:{match['minute'] or '00'}:{match['second'] or '00'}")


def _date(text: str) -> Tree | None:
    """Return a day of a month, with the year if one is named."""
    iso, chinese = _ISO.fullmatch(text), _CHINESE_DATE.fullmatch(text)
    if iso is not None or chinese is not None:
        year, month, day = (iso or chinese).groups()  # type: ignore[union-attr]
        return Word(f"day {int(month)}-{int(day)} {year or ''}".strip())
    if not _MONTH.search(text):
        return None
    words = re.findall(r"[A-Za-z]+|\d+(?:st|nd|rd|th)?", text)
    months = [
        number
        for word in words
        for number, name in enumerate(_MONTHS, 1)
        if word[:1].isalpha() and len(word) >= 3 and name.startswith(word.lower())
    ]
    numbers = [_DAY.fullmatch(word) for word in words if word[0].isdigit()]
    days = [match.group(1) for match in numbers if match is not None and match.group(1)]
    years = [match.group(2) for match in numbers if match is not None and match.group(2)]
    month_words = [w for w in words if w[0].isalpha() and w.lower() not in ("the", "of", "on")]
    if (
        len(months) != 1
        or len(month_words) != 1
        or len(days) != 1
        or len(years) > 1
        or None in numbers
    ):
        return None
    return Word(f"day {months[0]}-{int(days[0])} {''.join(years)}".strip())


# ---------------------------------------------------------------------- a choice with its text

_SAID = r"\\(?:text|textbf|textrm|mathrm|mathbf|mbox)\s*+"
_LABELLED = re.compile(
    r"\s*+(?:\(\s*+([A-J])\s*+\)|([A-J])(?:\s*+[.:)](?!\d)|\s++[-–—](?=\s++[a-zA-Z][a-z]*+ [^0-9=+*/^\\]++$)))\s*+(?:[.:]\s*+)?([^\s,;].*)"
)
_IS_FORMULA = re.compile(
    r"(?:-?\d|-?\\[a-zA-Z]|\(|[a-z](?![a-z]))"
)  # no sign of a sum with the letter
_OF_STYLE = re.compile(rf"{_SAID}(?=\{{)|[{{}}]")


def labelled(text: str) -> tuple[Word, str, str] | None:
    """Return the letter of a choice, "(C) 12", its text in the form for comparison, and its formula.

    The result is None if several choices are named, or one is denied.
    """
    if not re.search("[A-J]", text[:20]):
        return None
    match = _LABELLED.fullmatch(_OF_STYLE.sub(" ", text))
    if match is None:
        return None
    choice_text = match.group(3)
    words = re.findall(r"[a-zA-Z']+", choice_text)
    letters = [word for word in words if len(word) == 1 and "A" <= word <= "J"]
    if letters and (
        letters != ["A"] or not re.match("A [a-z]{2}", choice_text)
    ):  # "A test" has an article
        return None
    if any(word.lower() in CHANGING | {"or", "and"} for word in words):
        return None
    at = text.rfind(choice_text) if _IS_FORMULA.match(choice_text) else -1
    formula = text[at:] if at >= 0 else ""
    letter = Word((match.group(1) or match.group(2)).lower())
    return letter, "".join(choice_text.split()).lower(), formula
