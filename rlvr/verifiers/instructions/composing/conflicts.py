"""Instructions that can't be drawn together: no text could follow both, or only an odd one."""

from __future__ import annotations

from itertools import combinations

_APART: tuple[tuple[str, ...], ...] = (
    # What separates paragraphs, and how many there are.
    (
        "length_constraints:number_paragraphs", "paragraphs:paragraphs", "paragraphs:paragraphs2",
        "length_constraints:nth_paragraph_first_word",
    ),
    # Two bounds on the same length.
    ("length_constraints:number_words", "count:word_count_range", "letters:letter_counting"),
    # One case of letters, and what needs the other.
    (
        "change_case:english_lowercase", "change_case:english_capital",
        "change_case:capital_word_frequency",
    ),
    # One beginning, one end.
    ("first_word:first_word_answer", "startend:quotation"),
    ("startend:end_checker", "last_word:last_word_answer"),
    # A section's number is a number.
    ("count:numbers", "detectable_format:multiple_sections"),
)  # fmt: skip
_AGAINST: dict[str, tuple[str, ...]] = {
    "change_case:english_lowercase": (
        "detectable_format:multiple_sections", "format:output_template", "count:person_names",
    ),
    "change_case:english_capital": (
        "detectable_format:multiple_sections", "format:output_template", "count:person_names",
        "format:thesis",
    ),
    "punctuation:punctuation_dot": (
        "detectable_content:postscript", "startend:end_checker", "length_constraints:number_sentences",
    ),
    "first_word:first_word_answer": ("length_constraints:nth_paragraph_first_word",),
}  # fmt: skip

CONFLICTS: frozenset[frozenset[str]] = frozenset(
    [frozenset(pair) for group in _APART for pair in combinations(group, 2)]
    + [frozenset((first, second)) for first, seconds in _AGAINST.items() for second in seconds]
)
"""Pairs of ids that are never drawn together."""


def fits(id: str, chosen: list[str]) -> bool:
    """Tell whether `id` may be combined with all of `chosen`; it never fits itself."""
    return id not in chosen and not any(frozenset((id, other)) in CONFLICTS for other in chosen)
