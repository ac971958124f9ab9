"""The language a response is in."""

from __future__ import annotations

from rlvr.verifiers.instructions.registry import (
    deviates,
    instruction,
)
from rlvr.verifiers.instructions.text import Text


@instruction(
    "language:response_language",
    says="Write everything in the language with the code {language!r}.",
)
def response_language(text: Text, language: str) -> bool:
    """What langdetect finds, seeded."""
    return text.language == language


@deviates(
    "language:response_language",
    published="counts as followed where no language can be detected, as in a text without letters",
    ours="counts as not followed",
    report="https://github.com/allenai/open-instruct/pull/1777",
)
def published_response_language(text: Text, language: str) -> bool:
    """Or no language that can be told."""
    return text.language in (language, None)
