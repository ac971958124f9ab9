"""Generated worlds: people, places, institutions and works, and the passages that state facts about them.

A world is made from (seed, split, number) alone. Each fact is stated in one passage, that of its subject, so an answer that
takes several facts rests on as many passages. Names are invented, and many share a word, so that a search also returns
passages which look right.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rlvr.core.tasks import SPLITS
from rlvr.envs.retrieval import Passage, PassageIndex

COUNTRIES, WATERS, RIVERS, TOWNS, PEOPLE, INSTITUTIONS, WORKS = 6, 4, 8, 18, 40, 14, 36

_ONSETS = ("b", "br", "d", "dr", "f", "g", "gr", "h", "j", "k", "kl", "l", "m", "n", "p", "r", "s", "sk", "st", "t", "tr",
           "v", "w", "z")  # fmt: skip
_VOWELS = ("a", "e", "i", "o", "u", "ae", "ei", "ou")
_CODAS = ("", "", "l", "n", "r", "s", "th", "m", "k", "nd", "rt")
_PLACE_ENDS = ("vik", "berg", "mouth", "holm", "stad", "ford", "minster", "grad", "ton", "haven")
_LANDS = ("ia", "land", "mark", "stan", "ora")
_ADJECTIVES = (
    "Silent",
    "Golden",
    "Broken",
    "Winter",
    "Hidden",
    "Crimson",
    "Last",
    "Hollow",
    "Distant",
    "Glass",
)
_NOUNS = (
    "Harbour",
    "Orchard",
    "Lantern",
    "Mirror",
    "Garden",
    "Bridge",
    "Letter",
    "Shore",
    "Clock",
    "Forest",
)
_KINDS = ("novel", "opera", "painting", "symphony", "play", "poem")
_TRADES = ("writer", "composer", "painter", "astronomer", "engineer", "botanist", "historian")
_SCHOOLS = ("University", "Observatory", "Theatre", "Museum", "Academy", "Conservatory")
_FILLERS = (
    "Little else is recorded about it, and older chronicles disagree on details.",
    "Visitors have described it in several letters that are kept in private collections.",
    "A short account appeared in a regional almanac.",
    "Its name is spelled in different ways in old maps and registers.",
    "It is mentioned in a catalogue of the period, without further comment.",
)


@dataclass
class Entity:
    """A thing in a world, with its facts.

    Attributes:
        kind: such as "person".
        name: unique in the world.
        id: the id of its passage.
        facts: the value of each relation: another entity, or a year.
        trade: a further word: what a person does, what kind a work is of.
    """

    kind: str
    name: str
    id: str
    facts: dict[str, Entity | int] = field(default_factory=dict)
    trade: str = ""

    def __repr__(self) -> str:
        return f"Entity({self.kind!r}, {self.name!r})"


@dataclass(frozen=True)
class World:
    """The entities of a world, and the passages about them."""

    entities: tuple[Entity, ...]
    passages: tuple[Passage, ...]

    def of_kind(self, kind: str) -> list[Entity]:
        """Return the entities of a kind."""
        return [entity for entity in self.entities if entity.kind == kind]


@functools.lru_cache(maxsize=256)
def world_of(seed: int, split: str, number: int) -> World:
    """Return the world of that number in a split."""
    stream = list(SPLITS).index(split)
    sequence = np.random.SeedSequence(seed, spawn_key=(stream, number, 25))
    maker = _Maker(np.random.Generator(np.random.PCG64(sequence)), f"{seed}/{split}/{number}")
    entities = maker.entities()
    return World(tuple(entities), tuple(maker.passage(entity) for entity in entities))


@functools.lru_cache(maxsize=64)
def index_of_world(seed: int, split: str, number: int) -> PassageIndex:
    """Return the index of a world's passages."""
    return PassageIndex.of(world_of(seed, split, number).passages)


class _Maker:
    """Draws a world's names and facts, and writes its passages."""

    def __init__(self, rng: np.random.Generator, world: str) -> None:
        self.rng = rng
        self._world = world
        self._names: set[str] = set()
        self._entities: list[Entity] = []

    def entities(self) -> list[Entity]:
        """Draw the entities and their facts."""
        countries = [self._new("country", self._name(1, _LANDS)) for _ in range(COUNTRIES)]
        waters = [
            self._new("water", f"{self._pick(('Lake', 'Sea of', 'Gulf of'))} {self._name(1)}")
            for _ in range(WATERS)
        ]
        rivers = [self._new("river", self._name(1)) for _ in range(RIVERS)]
        towns = [self._new("town", self._name(1, _PLACE_ENDS)) for _ in range(TOWNS)]
        families = [self._name(2) for _ in range(PEOPLE // 2)]  # relatives, and others of that name
        people = []
        for _ in range(PEOPLE):
            name = f"{self._name(1)} {self._pick(families)}"
            people.append(self._new("person", name, self._pick(_TRADES)))
        institutions = [
            self._new("institution", f"{self._name(1)} {self._pick(_SCHOOLS)}")
            for _ in range(INSTITUTIONS)
        ]
        titles = [f"The {adjective} {noun}" for adjective in _ADJECTIVES for noun in _NOUNS]
        works = [
            self._new("work", titles[i], self._pick(_KINDS))
            for i in self.rng.permutation(len(titles))[:WORKS].tolist()
        ]
        for country, capital in zip(countries, self._some(towns, COUNTRIES), strict=True):
            country.facts = {"capital": capital, "independence": self._year(1600, 1900)}
            capital.facts["country"] = country
        for river in rivers:
            river.facts = {"water": self._pick(waters)}
        for town in towns:
            town.facts.setdefault("country", self._pick(countries))
            town.facts |= {
                "river": self._pick(rivers),
                "twin": self._other(towns, town),
                "charter": self._year(1100, 1600),
            }
        for person in people:
            person.facts = {
                "birthplace": self._pick(towns),
                "birth": self._year(1700, 1900),
                "teacher": self._other(people, person),
                "employer": self._pick(institutions),
            }
        for institution in institutions:
            institution.facts = {
                "seat": self._pick(towns),
                "founder": self._pick(people),
                "foundation": self._year(1650, 1900),
            }
        for work in works:
            work.facts = {
                "creator": self._pick(people),
                "venue": self._pick(institutions),
                "dedicatee": self._pick(people),
                "completion": self._year(1730, 1950),
            }
            if work.facts["dedicatee"] is work.facts["creator"]:
                work.facts["dedicatee"] = self._other(people, work.facts["creator"])  # type: ignore[arg-type]
        return self._entities

    def passage(self, entity: Entity) -> Passage:
        """Write an entity's passage: its facts in some order, and a sentence without any."""
        sentences = [
            text.format(name=entity.name, **_words(entity)) for text in _SENTENCES[entity.kind]
        ]
        first, rest = sentences[0], sentences[1:]
        rest = [rest[i] for i in self.rng.permutation(len(rest)).tolist()]
        rest.insert(int(self.rng.integers(len(rest) + 1)), self._pick(_FILLERS))
        return Passage(entity.id, entity.name, " ".join([first, *rest]))

    def _new(self, kind: str, name: str, trade: str = "") -> Entity:
        digest = hashlib.blake2b(f"{self._world}/{kind}/{name}".encode(), digest_size=4).hexdigest()
        entity = Entity(kind, name, digest, trade=trade)
        self._entities.append(entity)
        return entity

    def _name(self, syllables: int, ends: Sequence[str] = ("",)) -> str:
        """Draw a name that no other thing of this world has."""
        while True:
            name = "".join(self._pick(_ONSETS) + self._pick(_VOWELS) for _ in range(syllables))
            name = (
                name + self._pick(_CODAS) + (self._pick(ends) or self._pick(_VOWELS))
            ).capitalize()
            if name not in self._names:
                self._names.add(name)
                return name

    def _pick(self, options: Sequence[Any]) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def _some(self, options: Sequence[Any], count: int) -> list[Any]:
        return [options[i] for i in self.rng.permutation(len(options))[:count].tolist()]

    def _other(self, options: Sequence[Entity], than: Entity) -> Entity:
        while True:
            entity: Entity = self._pick(options)
            if entity is not than:
                return entity

    def _year(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high))


def _words(entity: Entity) -> dict[str, str]:
    facts = {
        name: value.name if isinstance(value, Entity) else str(value)
        for name, value in entity.facts.items()
    }
    article = "an" if entity.trade[:1] in "aeo" else "a"
    return {**facts, "trade": f"{article} {entity.trade}"}


_SENTENCES = {
    "country": (
        "{name} is a country.",
        "Its capital is {capital}.",
        "It became independent in {independence}.",
    ),
    "water": ("{name} is a large body of water, known for its fogs.",),
    "river": ("{name} is a river.", "It flows into {water}."),
    "town": (
        "{name} is a town in {country}.",
        "It lies on the river {river}.",
        "Its twin town is {twin}.",
        "It received its charter in {charter}.",
    ),
    "person": (
        "{name} was {trade}, born in {birthplace}.",
        "The year of birth was {birth}.",
        "Lessons with {teacher} in early years were decisive.",
        "Most of the working life was spent at the {employer}.",
    ),
    "institution": (
        "The {name} stands in {seat}.",
        "It was founded by {founder}.",
        "The foundation dates from {foundation}.",
    ),
    "work": (
        "{name} is {trade} by {creator}.",
        "It was first presented at the {venue}.",
        "It is dedicated to {dedicatee}.",
        "It was completed in {completion}.",
    ),
}
