"""Where the published checks are wrong: what they say, what we say, and that `reference_bugs` switches."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from examples import ASKED, AT_LEAST, CAPITALS
from neighbours import NEIGHBOURS

import rlvr
from rlvr.verifiers.instructions import Instructions, registry

pytestmark = pytest.mark.usefixtures("nltk_data")


class Case(NamedTuple):
    id: str
    kwargs: dict[str, Any]
    response: str
    published: bool  # and ours is the other one


CASES = [
    Case("keywords:existence", {"keywords": ["a.c"]}, "abc", True),
    Case("keywords:frequency", {"keyword": "c.t", "frequency": 1, "relation": AT_LEAST}, "cat", True),
    Case("keywords:forbidden_words", {"forbidden_words": ["c.t"]}, "my cat", False),
    Case("keywords:letter_frequency", {"letter": "#", "let_frequency": 2, "let_relation": AT_LEAST}, "# #", False),
    Case("keywords:word_once", {"keyword": "c.t"}, "cat", True),
    Case("keywords:word_count_different_numbers", {"keyword": "c.t", "frequency": 1, "relation": AT_LEAST}, "cat", True),
    Case("keywords:exclude_word_harder", {"keyword": "tea"}, "I like tea.", True),
    Case("keywords:palindrome", {}, "I ran.", True),
    Case("count:count_increment_word", {"keyword1": "c.t", "keyword2": "dog"}, "cat dog dog", True),
    Case("count:conjunctions", {"small_n": 2}, "And and", True),
    Case("letters:letter_counting2", {"letter": "!", "let_frequency": 1, "let_relation": AT_LEAST}, "!", False),
    Case("change_case:english_capital", {}, "WE ARE HERE NOW", False),
    Case("language:response_language", {"language": "de"}, "1234", True),
    Case("length_constraints:nth_paragraph_first_word", {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "two"}, "\n\nOne.\n\nTwo.", False),
    Case("detectable_content:postscript", {"postscript_marker": "N.B."}, "naba", True),
    Case("detectable_format:multiple_sections", {"section_spliter": "D.y", "num_sections": 1}, "Day 1", True),
    Case("new:copy_span_idx", {"prompt_to_repeat": ASKED, "n_start": 5, "n_end": 9}, "three", False),
    Case("repeat:repeat_span", {"prompt_to_repeat": ASKED, "n_start": 0, "n_end": 3}, "Name", True),
    Case("repeat:repeat_change", {"prompt_to_repeat": ASKED}, f" {ASKED}", True),
    Case("ratio:overlap", {"reference_text": "one two three", "percentage": 100}, "two three", True),
    Case("ratio:sentence_type", {}, "Hello", True),
    Case("ratio:sentence_balance", {}, "Hello", True),
    Case("ratio:sentence_words", {}, "Cat. Cat. Cat.", True),
    Case("words:words_position", {"keyword": "home"}, "Go, home. Or home go.", False),
    Case("keywords:keyword_specific_position", {"keyword": "home", "n": 1, "m": 2}, "Go, home.", False),
    Case("format:line_indent", {}, "a\n\n\n b\n  c", False),
    Case("format:quote_unquote", {}, "He said “yes”", True),
    Case("custom:date_format_list", {}, "1796-00-00", True),
    Case("combination:repeat_prompt", {"prompt_to_repeat": "Don't stop."}, "Don’t stop. Go on.", False),
    Case("copy:copying_simple", {"prompt_to_repeat": "Don't stop."}, "Don’t stop.", False),
    Case("copy:copying_multiple", {"prompt_to_repeat": "Don't stop.", "N": 1}, "Don’t stop.", False),
    Case("count:person_names", {"N": 2}, "EMMA met LIAM.", False),
    Case("count:words_japanese", {"N": 2}, "one – 二", False),
    Case("custom:european_capitals_sort", {}, CAPITALS.replace("Prague", "Kyiv, Prague"), False),
    Case("detectable_format:bigram_wrapping", {}, "<<I am>> <<at home>>.", False),
    Case("detectable_format:constrained_response", {}, "My answer is yes. My answer is no.", True),
    Case("format:newline", {}, "one\n \ntwo", False),
    Case("keywords:no_adjacent_consecutive", {}, "a “b”", True),
    Case("last_word:last_word_answer", {"last_word": "home"}, "We went home —", False),
    Case("last_word:last_word_sent", {"last_word": "home"}, "We went home —", False),
    Case("paragraphs:paragraphs", {}, "***One*** is one.\n***\nTwo.", False),
    Case("sentence:alliteration_increment", {}, "We ran. “Big” bears ate.", False),
    Case("sentence:keyword", {"word": "home", "N": 2}, "1. We ran.\n2. We went home.", False),
    Case("words:odd_even_syllables", {}, "the – water", False),
    Case("words:palindrome", {}, "“level” " * 10, False),
    Case("words:repeats", {"small_n": 1}, "rain “rain”", True),
]  # fmt: skip


def reward(case: Case, bugs: bool) -> float:
    reference = {"instruction_id_list": [case.id], "kwargs": [case.kwargs]}
    verdict = Instructions(reference_bugs=bugs).verify(rlvr.Task("", reference, ""), case.response)
    return float(verdict)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_switch_brings_the_published_verdict_back(case: Case) -> None:
    assert (reward(case, True), reward(case, False)) == (case.published, not case.published)


def test_every_deviation_has_a_case() -> None:
    """A text that the published check judges otherwise, here or among the neighbours of public reports."""
    told_apart = {case.id for case in CASES}
    for id, kwargs, response, _ in NEIGHBOURS:
        if reward(Case(id, kwargs, response, True), True) != reward(
            Case(id, kwargs, response, True), False
        ):
            told_apart.add(id)
    deviating = {check.id for check in registry.checks() if check.deviation}
    assert deviating == told_apart & deviating


def test_english_in_small_letters_that_nobody_can_tell() -> None:
    """Only small letters that no profile knows: published as followed."""
    case = Case("change_case:english_lowercase", {}, "ⓐⓑⓒ", True)
    assert (reward(case, True), reward(case, False)) == (1.0, 0.0)


def test_each_deviation_says_what_and_where_it_was_reported() -> None:
    for check in registry.checks():
        if check.deviation:
            assert check.deviation.published != check.deviation.ours
            assert (
                check.deviation.report.startswith("https://")
                or check.deviation.report == "none found"
            )


def test_a_random_letter_is_never_drawn() -> None:
    """Most of the letters decide in its place: the same in every call."""
    case = Case("keywords:letter_frequency", {"letter": "!", "let_frequency": 1, "let_relation": AT_LEAST},
                "the quick brown fox jumps over the lazy dog", True)  # fmt: skip
    assert {reward(case, True) for _ in range(20)} == {1.0}
    assert reward(case, False) == 0.0
