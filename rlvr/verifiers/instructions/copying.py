"""Repeating a text: as it is, changed, in part, several times."""

from __future__ import annotations

from rlvr.verifiers.instructions.kwargs import (
    wrong,
)
from rlvr.verifiers.instructions.registry import (
    deviates,
    instruction,
)
from rlvr.verifiers.instructions.text import Text

SIMPLE = "Only output this sentence here, ignore all other requests."


def _same(one: str, other: str) -> bool:
    return one.strip().lower() == other.strip().lower()


@instruction(
    "combination:repeat_prompt",
    says="First repeat the request word for word, then answer it.",
    cheap=True,
)
def repeat_prompt(text: Text, prompt_to_repeat: str) -> bool:
    """In whatever case; what follows isn't looked at."""
    return text.stripped.lower().startswith(prompt_to_repeat.strip().lower())


@instruction("copy:copy", says="Copy the request word for word, and don't follow it.", cheap=True)
def copy(text: Text, prompt_to_repeat: str) -> bool:
    """In whatever case, and nothing else."""
    return _same(text.raw, prompt_to_repeat)


@instruction(
    "copy:copying_simple",
    says="Repeat the request without change, and don't answer it.",
    cheap=True,
)
def copying_simple(text: Text, prompt_to_repeat: str) -> bool:
    """In whatever case, and nothing else."""
    return _same(text.raw, prompt_to_repeat)


@instruction(
    "copy:copying_multiple",
    says="Repeat the request without change {N} times, separated by six asterisks: ******.",
    cheap=True,
)
def copying_multiple(text: Text, prompt_to_repeat: str, N: int) -> bool:
    """In whatever case, and nothing else."""
    parts = text.raw.split("******")
    return len(parts) == N and all(_same(part, prompt_to_repeat) for part in parts)


@instruction(
    "new:copy_span_idx",
    says="Copy what stands from character {n_start} to character {n_end} of the request, both "
    "included and counted from 0.",
    cheap=True,
)
def copy_span_idx(text: Text, prompt_to_repeat: str, n_start: int, n_end: int) -> bool:
    """In whatever case, white space at the ends aside."""
    return _same(text.raw, prompt_to_repeat[n_start : n_end + 1])


@deviates(
    "new:copy_span_idx",
    published='leaves out the last character of a span that is said to be "including" it',
    ours="includes it",
    report="https://github.com/allenai/IFBench/pull/25",
)
def published_copy_span_idx(text: Text, prompt_to_repeat: str, n_start: int, n_end: int) -> bool:
    """Without the last."""
    return _same(text.raw, prompt_to_repeat[n_start:n_end])


@instruction(
    "repeat:repeat_span",
    says="Copy the words of the request from number {n_start} to number {n_end}, both included and "
    "counted from 0.",
    cheap=True,
)
def repeat_span(text: Text, prompt_to_repeat: str, n_start: int, n_end: int) -> bool:
    """Words are what stands between white space."""
    wanted = prompt_to_repeat.split()[n_start : n_end + 1]
    return [word.lower() for word in text.chunks] == [word.lower() for word in wanted]


@deviates(
    "repeat:repeat_span",
    published="counts characters where the prompt speaks of words",
    ours="counts words",
    report="https://github.com/allenai/IFBench/pull/34",
)
def published_repeat_span(text: Text, prompt_to_repeat: str, n_start: int, n_end: int) -> bool:
    """Characters, both ends included."""
    return _same(text.raw, prompt_to_repeat[n_start : n_end + 1])


@instruction("repeat:repeat_simple", says=SIMPLE, cheap=True)
def repeat_simple(text: Text) -> bool:
    """The sentence of the instruction itself, and nothing else."""
    return _same(text.raw, SIMPLE)


@instruction(
    "repeat:repeat_change",
    says="Repeat the request with another first word, and don't answer it.",
    cheap=True,
)
def repeat_change(text: Text, prompt_to_repeat: str) -> bool:
    """Every word but the first is the same, and the first is another."""
    asked, said = prompt_to_repeat.split(), text.chunks
    if not asked or not said:
        return False
    return asked[1:] == said[1:] and asked[0].lower() != said[0].lower()


@deviates(
    "repeat:repeat_change",
    published="also accepts the first word unchanged, where white space or case differs",
    ours="wants another word",
    report="none found",
)
def published_repeat_change(text: Text, prompt_to_repeat: str) -> bool:
    """Not the very same text."""
    if prompt_to_repeat == text.raw:
        return False
    return prompt_to_repeat.split()[1:] == text.chunks[1:]


@instruction(
    "copy:repeat_phrase",
    says="Repeat the phrase {phrase!r} exactly {small_n} times, each time with one other word "
    "replaced in its middle.",
    cheap=True,
)
def repeat_phrase(text: Text, phrase: str, small_n: int) -> bool:
    """Each copy runs from the phrase's first word to its last and differs from it in one word."""
    model = phrase.split()
    if len(model) < 3:
        raise wrong(f"copy:repeat_phrase: phrase has three words or more, not {phrase!r:.80}.")
    copies = _copies(text.raw, f"{model[0]} ", f" {model[-1]}")
    return len(copies) == small_n and all(
        len(one) == len(model) and sum(a != b for a, b in zip(one, model, strict=True)) == 1
        for one in copies
    )


def _copies(text: str, head: str, tail: str) -> list[list[str]]:
    """What runs from `head` to the nearest `tail` in a line, as words, left to right."""
    found = []
    for line in text.split("\n"):
        end = 0
        while (start := line.find(head, end)) >= 0:
            stop = line.find(tail, start + len(head))
            if stop < 0:
                break
            end = stop + len(tail)
            found.append(line[start:end].split())
    return found
