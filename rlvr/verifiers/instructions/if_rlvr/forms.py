"""IF-RLVR's forms: copies of the request, brackets, paragraphs, signs to leave out."""

from __future__ import annotations

import re

from rlvr.verifiers.instructions import segmentation
from rlvr.verifiers.instructions.ifeval.length import filled
from rlvr.verifiers.instructions.kwargs import wrong
from rlvr.verifiers.instructions.registry import instruction
from rlvr.verifiers.instructions.text import ResponseText


def same(text: str, other: str) -> bool:
    """Return whether two texts are the same except for case and white space at the ends."""
    ours, theirs = map(segmentation.normal, (text, other))
    return ours.strip().lower() == theirs.strip().lower()


@instruction("copy:copy", says="Copy the request word for word, and don't follow it.", cheap=True)
def copy(text: ResponseText, prompt_to_repeat: str) -> bool:
    """Compare in any case; there's nothing else."""
    return same(text.raw, prompt_to_repeat)


@instruction(
    "copy:copying_simple",
    says="Repeat the request without change, and don't answer it.",
    cheap=True,
)
def copying_simple(text: ResponseText, prompt_to_repeat: str) -> bool:
    """Compare in any case; there's nothing else."""
    return same(text.raw, prompt_to_repeat)


@instruction(
    "copy:copying_multiple",
    says="Repeat the request without change {N} times, separated by six asterisks: ******.",
    cheap=True,
)
def copying_multiple(text: ResponseText, prompt_to_repeat: str, N: int) -> bool:
    """Compare in any case; there's nothing else."""
    parts = text.raw.split("******")
    return len(parts) == N and all(same(part, prompt_to_repeat) for part in parts)


@instruction(
    "new:copy_span_idx",
    says="Copy the text from character {n_start} to character {n_end} of the request, both "
    "included and counted from 0.",
    cheap=True,
)
def copy_span_idx(text: ResponseText, prompt_to_repeat: str, n_start: int, n_end: int) -> bool:
    """Compare in any case, white space at the ends aside."""
    return same(text.raw, prompt_to_repeat[n_start : n_end + 1])


@instruction(
    "copy:repeat_phrase",
    says="Repeat the phrase {phrase!r} exactly {small_n} times, each time with one other word "
    "replaced in its middle.",
    cheap=True,
)
def repeat_phrase(text: ResponseText, phrase: str, small_n: int) -> bool:
    """Compare each copy, from the phrase's first word to its last: one word is another."""
    model = phrase.split()
    if len(model) < 3:
        raise wrong(f"copy:repeat_phrase: phrase has three words or more, not {phrase!r:.80}.")
    copies = _copies(text.raw, f"{model[0]} ", f" {model[-1]}")
    return len(copies) == small_n and all(
        len(words) == len(model) and sum(a != b for a, b in zip(words, model, strict=True)) == 1
        for words in copies
    )


def _copies(text: str, head: str, tail: str) -> list[list[str]]:
    """Return what runs from `head` to the nearest `tail` in a line, as words, left to right."""
    copies = []
    for line in text.split("\n"):
        end = 0
        while (start := line.find(head, end)) >= 0:
            stop = line.find(tail, start + len(head))
            if stop < 0:
                break
            end = stop + len(tail)
            copies.append(line[start:end].split())
    return copies


_OUTSIDE = ".,;:!?…\"'“”‘’«»()*_-–—"


@instruction(
    "detectable_format:square_brackets", says="Put every word in square brackets.", cheap=True
)
def square_brackets(text: ResponseText) -> bool:
    """Look at the parts between white space, punctuation outside of the brackets aside."""
    words = (chunk.strip(_OUTSIDE) for chunk in text.chunks if any(map(str.isalnum, chunk)))
    return all(word[0] == "[" and word[-1] == "]" for word in words) and bool(text.words)


@instruction(
    "detectable_format:bigram_wrapping",
    says="Put every two words in double angular brackets, such as <<I am>> <<at home>>.",
    cheap=True,
)
def bigram_wrapping(text: ResponseText) -> bool:
    """Look at pairs of the parts between white space; a last odd word isn't looked at."""
    words = text.chunks
    pairs = zip(words[::2], words[1::2], strict=False)
    return all(a.startswith("<<") and b.rstrip(_OUTSIDE).endswith(">>") for a, b in pairs)


_HYPHEN = re.compile(r"(?<=[.!?…。！？\"'”’)])-(?=\S)")


@instruction(
    "detectable_format:sentence_hyphens",
    says="Join all sentences by hyphens, without spaces between them.",
)
def sentence_hyphens(text: ResponseText) -> bool:
    """Compare the parts between the hyphens behind sentences with the sentences themselves."""
    parts = _HYPHEN.split(text.normal.strip())
    return parts == ResponseText(" ".join(parts)).punkt_sentences


@instruction(
    "paragraphs:paragraphs",
    says="Write two paragraphs, separated by the markdown divider ***.",
    cheap=True,
)
def two_divided(text: ResponseText) -> bool:
    """Judge as `length_constraints:number_paragraphs` with 2 does."""
    return filled(segmentation.divided(text.normal)) == 2


@instruction(
    "paragraphs:paragraphs2", says="Write two paragraphs, separated by a blank line.", cheap=True
)
def two_apart(text: ResponseText) -> bool:
    """Count what blank lines separate."""
    return len(text.paragraphs) == 2


_DOTS = re.compile("[.\u2025\u2026\u3002\uff0e\uff61\ufe52\u06d4\u0701\u0702\ufe12\ufe19]")
_EXCLAMATIONS = re.compile(
    "[!\u203c\u2048\u2049\u2755\u2757\u00a1\u055c\u07f9\u1944\ufe15\ufe57\uff01]"
)


@instruction("punctuation:punctuation_dot", says="Use no dots.", cheap=True)
def no_dot(text: ResponseText) -> bool:
    """Find no full stop of any script, nor an ellipsis."""
    return _DOTS.search(text.raw) is None


@instruction("punctuation:punctuation_exclamation", says="Use no exclamation marks.", cheap=True)
def no_exclamation(text: ResponseText) -> bool:
    """Find no exclamation mark of any script."""
    return _EXCLAMATIONS.search(text.raw) is None
