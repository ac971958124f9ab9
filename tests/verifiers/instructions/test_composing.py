"""Composed sets: none conflicts with itself, and a text follows each."""

from __future__ import annotations

import re

import numpy as np
import pytest

from rlvr.core.errors import OptionError
from rlvr.verifiers.instructions import registry
from rlvr.verifiers.instructions.composing import compose, redraw, satisfying
from rlvr.verifiers.instructions.composing.catalogue import CATALOGUE, ENDINGS, FORBIDDEN, KEYWORDS
from rlvr.verifiers.instructions.composing.compose import MOST, Constraint
from rlvr.verifiers.instructions.composing.conflicts import CONFLICTS, fits
from rlvr.verifiers.instructions.composing.pieces import BANK
from rlvr.verifiers.instructions.text import ResponseText
from tests.tiers import Sample

pytestmark = pytest.mark.usefixtures("nltk_data")
DRAWS = 2000


def follows(text: str, constraints: list[Constraint]) -> bool:
    for one in constraints:
        check = registry.find(one.id)
        if not check.function(ResponseText(text), **check.bound(one.kwargs)):
            return False
    return True


def shown(constraints: list[Constraint]) -> str:
    text = satisfying([one.id for one in constraints], [one.kwargs for one in constraints])
    assert text is not None, constraints
    return text


def test_every_drawn_set_can_be_followed(sample: Sample) -> None:
    seen = set()
    for seed in sample(range(DRAWS), 800):
        drawn = compose(np.random.default_rng(seed), 1 + seed % MOST)
        assert len({one.id for one in drawn}) == 1 + seed % MOST
        assert follows(shown(drawn), drawn), drawn
        seen |= {one.id for one in drawn}
    assert seen == set(CATALOGUE)


def test_every_pair_without_a_conflict_can_be_followed() -> None:
    from rlvr.verifiers.instructions.composing.catalogue import Words

    rng = np.random.default_rng(0)
    for one in CATALOGUE:
        for other in CATALOGUE:
            if one < other and fits(other, [one]):
                words = Words(rng)
                pair = [Constraint(id, CATALOGUE[id](rng, words)) for id in (one, other)]
                assert follows(shown(pair), pair), pair


def test_after_a_change_the_set_can_still_be_followed() -> None:
    for seed in range(300):
        rng = np.random.default_rng(seed)
        drawn = compose(rng, 5)
        changeable = [n for n, one in enumerate(drawn) if one.kwargs]
        if changeable:
            changed = redraw(rng, drawn, changeable[0])
            assert changed[changeable[0]] != drawn[changeable[0]]
            assert [one.id for one in changed] == [one.id for one in drawn]
            assert follows(shown(changed), changed)


def test_conflicts_are_of_what_is_drawn() -> None:
    assert {id for pair in CONFLICTS for id in pair} <= set(CATALOGUE)
    assert all(len(pair) == 2 for pair in CONFLICTS)
    assert not fits("punctuation:no_comma", ["punctuation:no_comma"])


def test_words_that_are_asked_for_are_nowhere_else() -> None:
    """Else a set could be broken by the sentences that fill a text, or by another keyword."""
    bank = " ".join((*BANK, *ENDINGS)).lower()
    for word in KEYWORDS:
        assert word not in bank
        assert not any(word in other for other in KEYWORDS if other != word)
    assert not any(re.search(rf"\b{word}\b", bank) for word in FORBIDDEN)
    assert not set("qxz,0123456789!?") & set(bank)


def test_the_same_seed_draws_the_same() -> None:
    assert compose(np.random.default_rng(7), 6) == compose(np.random.default_rng(7), 6)


def test_what_cannot_be_drawn_or_shown() -> None:
    with pytest.raises(OptionError, match="from 1 to 10"):
        compose(np.random.default_rng(0), 11)
    with pytest.raises(OptionError, match="nothing to change"):
        redraw(np.random.default_rng(0), [Constraint("punctuation:no_comma", {})], 0)
    assert satisfying(["words:alphabet"], [{}]) is None
    assert satisfying(["count:numbers", "count:numbers"], [{"N": 1}, {"N": 2}]) is None
