"""How a response begins and ends, and what stands around its words, sentences and halves."""

from __future__ import annotations

from rlvr.verifiers.instructions.registry import instruction
from rlvr.verifiers.instructions.text import Text


@instruction(
    "combination:two_responses",
    says="Give two different responses, separated by six asterisks: ******.",
    cheap=True,
)
def two_responses(text: Text) -> bool:
    """Two that aren't blank and differ; nothing blank between."""
    parts = text.raw.split("******")
    filled = [part.strip() for part in parts if part.strip()]
    if any(not part.strip() for part in parts[1:-1]):
        return False
    return len(filled) == 2 and filled[0] != filled[1]


@instruction("startend:end_checker", says="End with exactly this: {end_phrase}", cheap=True)
def end_checker(text: Text, end_phrase: str) -> bool:
    """In whatever case; double quotes may close it."""
    return text.stripped.strip('"').lower().endswith(end_phrase.strip().lower())


@instruction(
    "startend:quotation", says="Put the whole response in double quotation marks.", cheap=True
)
def quotation(text: Text) -> bool:
    """The first and the last character are `"`."""
    body = text.stripped
    return len(body) > 1 and body[0] == body[-1] == '"'


@instruction(
    "detectable_format:square_brackets", says="Put every word in square brackets.", cheap=True
)
def square_brackets(text: Text) -> bool:
    """Whatever stands between white space."""
    return all(word[0] == "[" and word[-1] == "]" for word in text.chunks)


@instruction(
    "detectable_format:bigram_wrapping",
    says="Put every two words in double angular brackets, such as <<I am>> <<at home>>.",
    cheap=True,
)
def bigram_wrapping(text: Text) -> bool:
    """Pairs of what stands between white space; a last odd word isn't looked at."""
    words = text.chunks
    pairs = zip(words[::2], words[1::2], strict=False)
    return all(a.startswith("<<") and b.endswith(">>") for a, b in pairs)


@instruction(
    "detectable_format:sentence_hyphens",
    says="Join all sentences by hyphens, without spaces between them.",
)
def sentence_hyphens(text: Text) -> bool:
    """What stands between hyphens is each one of the sentences that are there without them."""
    parts = text.raw.split("-")
    whole = Text(text.raw.replace("-", " ")).sentences
    return all(part == sentence for part, sentence in zip(parts, whole, strict=False))
