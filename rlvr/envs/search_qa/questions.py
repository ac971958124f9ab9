"""Questions about a generated world: chains of relations from a thing that is named, in five levels.

    Find the year in which the founder of the institution where The Silent Harbour was first presented was born.

Each step's fact is in another passage. The levels have one to four steps; the last asks for the years between two facts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rlvr.core.task import Task
from rlvr.envs.prompt import Prompt
from rlvr.envs.search_qa.world import Entity, World, world_of

YEARS = {
    "work": ("completion", "the year in which {x} was completed"),
    "person": ("birth", "the year in which {x} was born"),
    "institution": ("foundation", "the year in which {x} was founded"),
    "town": ("charter", "the year in which {x} received its charter"),
    "country": ("independence", "the year in which {x} became independent"),
}
RELATIONS = {
    "work": {
        "creator": "the creator of {x}",
        "venue": "the institution where {x} was first presented",
        "dedicatee": "the person to whom {x} is dedicated",
    },
    "person": {
        "birthplace": "the town where {x} was born",
        "teacher": "the teacher of {x}",
        "employer": "the institution where {x} worked",
    },
    "institution": {"seat": "the town where {x} stands", "founder": "the founder of {x}"},
    "town": {
        "country": "the country in which {x} lies",
        "river": "the river on which {x} lies",
        "twin": "the twin town of {x}",
    },
    "river": {"water": "the water into which {x} flows"},
    "country": {"capital": "the capital of {x}"},
}
_STARTS = ("work", "work", "person", "institution")


@dataclass(frozen=True)
class SearchLevel:
    """A chain of `hops` relations, or two such chains to years whose difference is asked for."""

    hops: int
    difference: bool = False


LEVELS = {
    1: SearchLevel(1),
    2: SearchLevel(2),
    3: SearchLevel(3),
    4: SearchLevel(4),
    5: SearchLevel(2, difference=True),
}


@dataclass(frozen=True)
class Chain:
    """A chain of facts.

    Attributes:
        phrase: the thing at its end, in words.
        value: that thing.
        support: for each fact, the ids of the passages that state it.
        named: the name of the thing at its beginning.
    """

    phrase: str
    value: Entity | int
    support: tuple[tuple[str, ...], ...]
    named: str


def question(
    rng: np.random.Generator,
    prompt: Prompt,
    level: SearchLevel,
    split: str,
    seed: int,
    worlds: int,
    tools: str,
) -> Task:
    """Draw a world and a question about it."""
    number = int(rng.integers(worlds))
    world = world_of(seed, split, number)
    text, answer, support = (_difference if level.difference else _single)(rng, world, level.hops)
    return Task(
        prompt.render({"question": text, "tools": tools}),
        {"answers": [answer], "support": [list(ids) for ids in support]},
        None,
        {"question": text, "world": [seed, split, number]},
    )


def _single(
    rng: np.random.Generator, world: World, hops: int
) -> tuple[str, str, tuple[tuple[str, ...], ...]]:
    while True:
        chain = draw_chain(rng, world, hops, bool(rng.random() < 0.25))
        if chain is None:
            continue
        answer = chain.value.name if isinstance(chain.value, Entity) else str(chain.value)
        if answer.casefold() not in chain.phrase.casefold():
            return f"Find {chain.phrase}.", answer, chain.support


def _difference(
    rng: np.random.Generator, world: World, hops: int
) -> tuple[str, str, tuple[tuple[str, ...], ...]]:
    while True:
        first, second = (draw_chain(rng, world, hops, True) for _ in range(2))
        if first is None or second is None:
            continue
        assert isinstance(first.value, int)
        assert isinstance(second.value, int)
        support = tuple(dict.fromkeys(first.support + second.support))
        if len(support) == 2 * hops and abs(first.value - second.value) > 1:
            text = f"By how many years do these differ: {first.phrase}, and {second.phrase}?"
            return text, str(abs(first.value - second.value)), support


def draw_chain(rng: np.random.Generator, world: World, hops: int, to_year: bool) -> Chain | None:
    """Draw a chain of different things; None if it came to an end or back to a thing before."""
    starts = world.of_kind(_STARTS[int(rng.integers(len(_STARTS)))])
    thing: Entity = starts[int(rng.integers(len(starts)))]
    named = thing.name
    phrase = f"the {named}" if thing.kind == "institution" else named
    seen, support = [thing], []
    for hop in range(hops):
        if to_year and hop == hops - 1:
            if thing.kind not in YEARS:
                return None
            relation, words = YEARS[thing.kind]
        else:
            relations = list(RELATIONS.get(thing.kind, {}).items())
            if not relations:
                return None
            relation, words = relations[int(rng.integers(len(relations)))]
        value = thing.facts[relation]
        support.append(_stating(thing, relation, value))
        phrase = words.format(x=phrase)
        if isinstance(value, int):
            return Chain(phrase, value, tuple(support), named)
        if any(value is before for before in seen):
            return None
        seen.append(value)
        thing = value
    return Chain(phrase, thing, tuple(support), named)


def _stating(thing: Entity, relation: str, value: Entity | int) -> tuple[str, ...]:
    """Return the ids of the passages that state a fact: a capital's country is in the country's, too."""
    if relation == "country" and isinstance(value, Entity) and value.facts["capital"] is thing:
        return thing.id, value.id
    return (thing.id,)
