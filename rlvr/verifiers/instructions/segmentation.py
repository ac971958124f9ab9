"""Words, sentences and paragraphs as a careful reader counts them, in any script.

Everything here is linear in the text's length. Where the published checks count otherwise, their
units are `Text.word_runs`, `Text.treebank_tokens` and `Text.punkt_sentences`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache

from rlvr.verifiers.instructions import resources

_SAME = {"’": "'", "ʼ": "'", "＇": "'", "‐": "-", "‑": "-", "\u00ad": ""}
_MOST_PARTS = 4
"""Parts of a compound ("state-of-the-art") that is one word. A longer chain counts part by part."""

# Chinese characters, and kana: nothing separates their words, so word processors count characters.
_IDEOGRAPH = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_KANA = "\u3041-\u309f\u30a1-\u30ff\u31f0-\u31ff\uff66-\uff9f"
_UNSPACED = re.compile(f"[{_IDEOGRAPH}{_KANA}\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")

# "It's" and "AT&T" are one word, and so are "3.50", "10:30" and "1/2".
_JOINT = r"(?:['&_-]|(?<=\d)[.,:/](?=\d))"
_INITIALS = r"(?<![^\W_])(?:[^\W\d_]\.){2,}(?:[^\W\d_](?![^\W_]))?"
# The same for ASCII, with sets in place of classes and the first test last: half the time.
_ASCII_WORD = re.compile(
    r"[A-Za-z]\.(?<![A-Za-z0-9][A-Za-z]\.)(?:[A-Za-z]\.)+(?:[A-Za-z](?![A-Za-z0-9]))?"
    rf"|[A-Za-z0-9]+(?:{_JOINT}[A-Za-z0-9]+)*",
    re.ASCII,
)
_SEPARATORS = re.compile("[“”‘–—…•«»\u00a0]")  # in texts that are ASCII otherwise

# The last sign of a sentence where Punkt, which knows English, looks for a full stop and a space.
_FOREIGN_END = re.compile("[。！？｡．](?:[」』】”’）)\"']*)|[؟।॥۔։።፧](?:[”’»)\"']*)(?=\\s|$)")
_LIST_MARK = re.compile(
    r"^[ \t]*(?:[-*+•–]|\(?\d{1,3}[.)]|\([a-zA-Z]\)|[a-zA-Z]\))[ \t]+", re.MULTILINE
)
_HEADING = re.compile(r"^[ \t]{0,3}#{1,6}[ \t]+(.*)$", re.MULTILINE)
_ENDS = (".", "!", "?", "…", "。", "！", "？", "؟", "।")


def normal(text: str) -> str:
    """Return the text with line feeds for line ends, composed letters, straight apostrophes and hyphens."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.isascii():
        return text
    text = unicodedata.normalize("NFC", text)
    for sign, same in _SAME.items():
        text = text.replace(sign, same)
    return text


def unaccented(text: str) -> str:
    """Return the text without the accents of its letters."""
    if text.isascii():
        return text
    signs = unicodedata.normalize("NFD", text)
    return "".join(sign for sign in signs if not unicodedata.combining(sign))


def words(text: str) -> list[str]:
    """Return the words of a normal text: contractions, numbers and compounds are one each.

    No word goes on behind a line's end, and a text's variants share most lines.
    """
    words: list[str] = []
    for line in text.split("\n"):
        words += _words_kept(line) if len(line) <= _LONGEST_KEPT else _words(line)
    return words


_LONGEST_KEPT = 2000  # characters


@lru_cache(maxsize=4096)
def _words_kept(line: str) -> tuple[str, ...]:
    return tuple(_words(line))


def _words(line: str) -> list[str]:
    if not line.isascii():
        line = _SEPARATORS.sub(" ", line)
    words = (_ASCII_WORD if line.isascii() else _any_word()).findall(line)
    if line.count("-") < _MOST_PARTS:
        return words
    return [part for word in words for part in _parts(word)]


def _parts(word: str) -> list[str]:
    return [word] if word.count("-") < _MOST_PARTS else word.split("-")


@cache
def _any_word() -> re.Pattern[str]:
    """Return the pattern of a word in any script: combining marks and joiners don't end it."""
    codes = [code for code in range(0x300, 0x1F000) if unicodedata.category(chr(code))[0] == "M"]
    marks = _ranges([*codes, *range(0xE0100, 0xE01F0)])
    letter = rf"(?:[^\W_{_IDEOGRAPH}{_KANA}]|[{marks}\u200c\u200d])"
    first = rf"[^\W_{_IDEOGRAPH}{_KANA}]"
    kana = f"[{_KANA}][{_KANA}\u3099\u309a]*"
    return re.compile(
        rf"{_INITIALS}|[{_IDEOGRAPH}]|{kana}|{first}{letter}*(?:(?:{_JOINT}|['׳״·](?={first})){first}{letter}*)*"
    )


def _ranges(codes: list[int]) -> str:
    """Return the inside of a character class with these code points."""
    parts: list[list[int]] = []
    for code in codes:
        if parts and parts[-1][1] == code - 1:
            parts[-1][1] = code
        else:
            parts.append([code, code])
    return "".join(f"{chr(a)}-{chr(b)}" for a, b in parts)


def is_unspaced(sign: str) -> bool:
    """Return whether a character is of a script that writes its words without spaces."""
    return _UNSPACED.match(sign) is not None


def without_marks(text: str) -> str:
    """Return the text without headings and without the marks of list items.

    A number before an item is no sentence, nor is a heading, unless it ends as one.
    """
    if "#" in text:
        text = _HEADING.sub(lambda line: line[1] if line[1].rstrip().endswith(_ENDS) else "", text)
    return without_list_marks(text)


def without_list_marks(text: str) -> str:
    """Return the text without the bullets and numbers of list items."""
    return _LIST_MARK.sub("", text)


def sentence_pieces(text: str) -> list[str]:
    """Return the text cut at the ends of sentences; some pieces may have no words."""
    plain = without_marks(text)
    pieces: list[str] = []
    for piece in resources.sentences(plain if plain.strip() else text):
        if pieces and _MARKS.issuperset(piece):
            pieces[-1] += piece  # Punkt takes the second mark of "!!" for a sentence
        else:
            pieces.append(piece)
    if text.isascii():
        return pieces
    return [part for piece in pieces for part in _cut(piece)]


_MARKS = frozenset(".!?\"')]*_")


def _cut(piece: str) -> list[str]:
    begin, parts = 0, []
    for end in _FOREIGN_END.finditer(piece):
        parts.append(piece[begin : end.end()].strip())
        begin = end.end()
    parts.append(piece[begin:].strip())
    return [part for part in parts if part]


def paragraphs(text: str) -> list[str]:
    """Return what blank lines separate, without what is blank."""
    groups: list[list[str]] = [[]]
    for line in text.split("\n"):
        if line.strip():
            groups[-1].append(line)
        elif groups[-1]:
            groups.append([])
    return ["\n".join(group) for group in groups if group]


_BOLD_ITALIC = re.compile(r"(?<![*\w])\*{3}(?=[^\s*])[^*\n]*[^\s*]\*{3}(?![*\w])")
_DIVIDER = re.compile(r"(?<!\*)\*{3}(?!\*)")


def divided(text: str) -> list[str]:
    """Return what `***` separates; four stars are no divider, nor is ***emphasis***."""
    return _DIVIDER.split(_BOLD_ITALIC.sub("x", text) if "***" in text else text)
