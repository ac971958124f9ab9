"""A text that follows instructions and says nothing: what a policy learns where that is all that pays."""

from __future__ import annotations

from rlvr.core.task import Task


def template(task: Task) -> str:
    """What the instructions name and one word over and over: nothing is said, and most are followed.

    Args:
        task: with IFEval's reference, `{"instruction_id_list", "kwargs"}`.
    """
    parts, words, opening, ending = [], 30, "", ""
    for id, given in zip(
        task.reference["instruction_id_list"], task.reference["kwargs"], strict=True
    ):
        kwargs = {name: value for name, value in (given or {}).items() if value is not None}
        parts += [
            str(v)
            for k, v in kwargs.items()
            if k in ("keyword", "word", "options", "postscript_marker")
        ]
        parts += kwargs.get("keywords", []) + [kwargs.get("keyword", "")] * int(
            kwargs.get("frequency", 0)
        )
        parts += ["[word]"] * int(kwargs.get("num_placeholders", 0))
        parts += ["\n* word\n"] * int(kwargs.get("num_bullets", 0))
        parts += ["*word*"] * int(kwargs.get("num_highlights", 0))
        parts += ["<<word>>"] * (id == "detectable_format:title")
        parts += ["\n***\nword"] * (int(kwargs.get("num_paragraphs", 1)) - 1)
        parts += [f"{kwargs.get('section_spliter', '')} 1"] * int(kwargs.get("num_sections", 0))
        opening = opening or kwargs.get("prompt_to_repeat", "")
        ending = ending or kwargs.get("end_phrase", "")
        if kwargs.get("relation") == "at least":
            words = max(
                words, int(kwargs.get("num_words", 0)), 2 * int(kwargs.get("num_sentences", 0))
            )
    return " ".join(filter(None, [opening, *parts, *["word."] * words, ending]))
