"""Requests to put instructions to, where an author has none of their own: a form and a topic."""

from __future__ import annotations

import numpy as np

FORMS = (
    "Write a short story about {}.",
    "Explain {} to a child.",
    "Write a letter to a friend about {}.",
    "Describe {} for someone who has never seen it.",
    "Write a speech in praise of {}.",
    "Write a diary entry about {}.",
    "Give advice to a beginner on {}.",
    "Write a review of a documentary about {}.",
    "Tell me what most people get wrong about {}.",
    "Write a dialogue between two neighbors about {}.",
    "Argue that {} deserves more attention.",
    "Write a travel report in which {} plays a part.",
)
TOPICS = (
    "keeping bees", "a night train", "learning to swim as an adult", "the history of paper",
    "repairing an old bicycle", "a village fair", "growing tomatoes on a balcony", "lighthouses",
    "a lost suitcase", "the first snow of the year", "baking bread", "working at night",
    "migrating birds", "a power cut", "secondhand bookshops", "the tides", "moving to a new city",
    "a chess club", "public libraries", "desert plants", "an unexpected guest", "weather forecasts",
    "making cheese", "an old photograph", "bridges", "a summer without rain", "learning a language",
    "street musicians", "the deep sea", "a family recipe", "volcanoes", "waiting rooms",
    "hand-drawn maps", "a school play", "sleep", "stray cats", "mountain huts", "clocks",
    "a broken promise", "sailing alone", "vegetable markets", "the color blue", "forest fires",
    "a job interview", "comets", "knitting", "crowded buses", "the sound of rain", "wooden toys",
    "an empty theater",
)  # fmt: skip


def request(rng: np.random.Generator) -> str:
    """One of them."""
    form = FORMS[int(rng.integers(len(FORMS)))]
    return form.format(TOPICS[int(rng.integers(len(TOPICS)))])
