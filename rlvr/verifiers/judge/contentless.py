"""Responses without content, which are refused without asking a judge, since they have fooled judges.

"One Token to Fool LLM-as-a-Judge" (Zhao et al., arXiv:2507.08794) found that many judge models pass a colon, or
the opening of a solution that never comes.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

_LONGEST = 400  # characters of the longest text that may be a mere opening
_PIECES = re.compile(r"[^\w'\s]+|\n+")
_OPENINGS = frozenset(
    # The paper's openings and similar ones. Words that may be an answer are left out: yes, true, first.
    """
    sure|ans|answer|response|final answer|the answer|the answer is|the final answer is|answer is
    solution|the solution|the solution is|solution process|explanation|reasoning|thoughts
    thought process|my thought process|my reasoning|my answer|step|step 1|step one|step by step
    let me think|let's think|lets think|let us think|let's think step by step|let me see
    let us think step by step|lets think step by step|think step by step
    let's solve this problem step by step|let us solve this problem step by step
    let's solve this step by step|let's solve this problem|let's solve this|let's begin|let's start
    here is the answer|here is my answer|here is the solution|here's the answer|here's my answer
    here's the solution
    解|解答|答案|答|答え|解説|かいせつ|回答|思考过程|respuesta|solución|réponse|solution détaillée|antwort
    lösung|resposta|solução|risposta|soluzione|ответ|решение|답|해설|उत्तर|समाधान|الجواب|الحل
    """.replace("\n", "|").split("|")
)
_KNOWN = frozenset(" ".join(opening.split()) for opening in _OPENINGS) - {""}


def says_nothing(answer: str, prompt: str, reference: Any) -> str:
    """Return the reason why there's nothing to judge, or "".

    Args:
        answer: the response without its thinking part.
        prompt: the task's prompt.
        reference: the reference answer; an opening that equals it is an answer.
    """
    text = answer.strip()
    if not text:
        return "the response is empty"
    if text == prompt.strip():
        return "the response is the prompt"
    if len(text) > _LONGEST:
        return "" if _has_words(text) else "the response has no word and no number"
    phrases = _phrases(text)
    if not phrases:
        return "the response has no word and no number"
    if isinstance(reference, str) and phrases == _phrases(reference):
        return ""
    if all(phrase in _KNOWN for phrase in phrases):
        return "the response is the opening of an answer that doesn't come"
    if text[-1] in ":：" and "\n" not in text and len(text.split()) <= 8:
        return "the response ends where an answer would begin"
    return ""


def _phrases(text: str) -> list[str]:
    """Return the phrases between punctuation marks, in lower case."""
    pieces = _PIECES.split(unicodedata.normalize("NFKC", text).replace("’", "'").casefold())
    return [words for piece in pieces if (words := " ".join(piece.strip(" _'").split()))]


def _has_words(text: str) -> bool:
    return any(character.isalnum() for character in text)
