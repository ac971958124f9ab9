"""IFEval's lengths: how many words, sentences and paragraphs."""

from __future__ import annotations

from rlvr.verifiers.instructions import segmentation
from rlvr.verifiers.instructions.kwargs import Relation, holds, wrong
from rlvr.verifiers.instructions.registry import instruction
from rlvr.verifiers.instructions.text import ResponseText


@instruction(
    "length_constraints:number_words", says="Answer with {relation} {num_words} words.", cheap=True
)
def number_words(text: ResponseText, num_words: int, relation: Relation) -> bool:
    """Count words as word processors do: "don't" and "well-known" are one each."""
    return holds(len(text.words), relation, num_words)


@instruction(
    "length_constraints:number_sentences", says="Answer in {relation} {num_sentences} sentences."
)
def number_sentences(text: ResponseText, num_sentences: int, relation: Relation) -> bool:
    """Count sentences by Punkt, and by the full stops of other scripts."""
    return holds(len(text.sentences), relation, num_sentences)


@instruction(
    "length_constraints:number_paragraphs",
    says="Write {num_paragraphs} paragraphs, separated by the markdown divider ***.",
    cheap=True,
)
def number_paragraphs(text: ResponseText, num_paragraphs: int) -> bool:
    """Count what dividers separate; none is empty except before the first divider and after the last."""
    return filled(segmentation.divided(text.normal)) == num_paragraphs


@instruction(
    "length_constraints:nth_paragraph_first_word",
    says="Write {num_paragraphs} paragraphs, separated by a blank line; paragraph {nth_paragraph} "
    "begins with the word {first_word!r}.",
    cheap=True,
)
def nth_paragraph_first_word(
    text: ResponseText, num_paragraphs: int, nth_paragraph: int, first_word: str
) -> bool:
    """Compare the n-th paragraph's first word, whatever punctuation or markup is around it."""
    check_nth(num_paragraphs, nth_paragraph)
    if len(text.paragraphs) != num_paragraphs:
        return False
    paragraph = segmentation.without_list_marks(text.paragraphs[nth_paragraph - 1])
    expected = segmentation.words(segmentation.normal(first_word).lower())
    return segmentation.words(paragraph.lower())[: len(expected)] == expected


def check_nth(count: int, nth: int) -> None:
    """Raise `CannotScore(gold)` if there's no n-th of so many paragraphs."""
    if not 1 <= nth <= count:
        raise wrong(
            f"length_constraints:nth_paragraph_first_word: nth_paragraph is from 1 to "
            f"num_paragraphs ({count}), not {nth}."
        )


def filled(paragraphs: list[str]) -> int:
    """Return how many paragraphs aren't blank; -1 if one between others is."""
    if any(not paragraph.strip() for paragraph in paragraphs[1:-1]):
        return -1
    ends = [paragraphs[0]] if len(paragraphs) == 1 else [paragraphs[0], paragraphs[-1]]
    return len(paragraphs) - sum(1 for paragraph in ends if not paragraph.strip())
