"""The pieces from which a satisfying text is assembled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Kwargs: TypeAlias = dict[str, Any]
Wanted: TypeAlias = Mapping[str, Kwargs]

BANK = (
    "The morning was cold but the old house felt warm and bright to everyone who came home late.",
    "She told us that they had seen the river rise in the night and that nobody was hurt by it.",
    "Some of them wanted to leave at once while others hoped to stay until the weather turned.",
    "We walked along the shore for hours and spoke about the summers of our childhood.",
    "He kept his letters in a wooden chest under the stairs where no one would think to look.",
    "It was not an easy choice for either of them yet both were glad when it had been made.",
    "The people of the town gathered in the small market to hear what the mayor had to tell them.",
    "Their mother used to bake bread on Sunday mornings and give half of it to the neighbors.",
    "You could see the mountains from the window on clear days or hear the wind on the others.",
    "The teacher asked her students to write down what they remembered of the story so far.",
    "After dinner the children went outside to count the stars before the clouds came back.",
    "Many visitors return each spring because the gardens are open and the flowers are at their best.",
    "This plan will take time and it needs the help of all who live and work in this place.",
    "When the train arrived the station was empty but for one man with a grey coat.",
    "They found that good habits grow slowly and that small steps matter more than great promises.",
    "The doctor said that rest and fresh air would do more for him than any medicine.",
)
"""Plain sentences: no comma, digit, mark but the dot, capital word, keyword, q, x or z."""

_NAMES = ("Emma", "Liam", "Sophia", "Noah", "Ava", "Lucas")


def first_of(word: str) -> str:
    """Return a sentence that begins with `word`."""
    return f"{word} was the first word that came to mind."


def beginning(wanted: Wanted) -> list[str]:
    """Return the sentence with which the text must begin; an empty list if no instruction asks for one."""
    kwargs = wanted.get("first_word:first_word_answer")
    return [first_of(kwargs["first_word"])] if kwargs else []


def pieces(wanted: Wanted) -> list[str]:
    """Return a line or more for each instruction that wants something to be there."""
    lines: list[str] = []
    for id, kwargs in wanted.items():
        lines += _pieces_of(id, kwargs)
    return lines


def _pieces_of(id: str, kwargs: Kwargs) -> list[str]:
    match id:
        case "keywords:existence":
            return [_about(word) for word in kwargs["keywords"]]
        case "keywords:frequency":
            least = kwargs["frequency"] if kwargs["relation"] == "at least" else 1
            return [_about(kwargs["keyword"])] * least
        case "keywords:word_once":
            return [_about(kwargs["keyword"])]
        case "count:count_increment_word":
            return [_about(kwargs["keyword1"]), *[_about(kwargs["keyword2"])] * 2]
        case "keywords:palindrome":
            return ["The ground was level there."]
        case "detectable_format:number_bullet_lists":
            return ["- one more point to keep in mind"] * kwargs["num_bullets"]
        case "detectable_format:multiple_sections":
            numbers = range(1, kwargs["num_sections"] + 1)
            return [f"{kwargs['section_spliter']} {n}" for n in numbers]
        case "detectable_format:title":
            return ["<<Notes from the town>>"]
        case "detectable_format:number_highlighted_sections":
            return ["Take *good care* of it."] * kwargs["num_highlights"]
        case "detectable_content:number_placeholders":
            return ["Write to [name] about it."] * kwargs["num_placeholders"]
        case "change_case:capital_word_frequency":
            least = kwargs["capital_frequency"] if kwargs["capital_relation"] == "at least" else 0
            return ["Please NOTE this."] * least
        case "count:numbers":
            return ["There were 7 of them."] * kwargs["N"]
        case "count:conjunctions":
            return ["It was late and cold but calm so we stayed or walked yet nobody spoke."]
        case "count:person_names":
            return [f"{name} was there." for name in _NAMES[: kwargs["N"]]]
        case "format:list":
            return [f"{kwargs['sep']} one item", f"{kwargs['sep']} another item"]
        case "format:output_template":
            return [
                "My Answer: it can be done.",
                "My Conclusion: it will be done.",
                "Future Outlook: it may get better.",
            ]
        case "format:parentheses":
            return ["It holds (one [two {three (four [five])}])."]
        case "format:thesis":
            return ["<i>The town is worth a visit.</i> There is much to see."]
    return []


def _about(word: str) -> str:
    return f"They also spoke of the {word} that day."


def closing(wanted: Wanted) -> list[str]:
    """Return the pieces that must be at the end, in a valid order."""
    lines = []
    if "detectable_content:postscript" in wanted:
        marker = wanted["detectable_content:postscript"]["postscript_marker"]
        lines.append(f"{marker} There is more to come.")
    if "startend:end_checker" in wanted:
        lines.append(wanted["startend:end_checker"]["end_phrase"])
    if "last_word:last_word_answer" in wanted:
        lines.append(
            f"In the end it was all about the {wanted['last_word:last_word_answer']['last_word']}."
        )
    return lines
