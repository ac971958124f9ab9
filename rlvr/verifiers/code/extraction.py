"""Find the program in a response.

Linear in the response's length, and nothing is parsed as a program: `ast.parse` on what a model
wrote can crash the process it runs in. Whether a candidate compiles is found out in the sandbox.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rlvr.core.thinking import after_thinking
from rlvr.sandboxes.languages import Language, language_of, language_tagged
from rlvr.verifiers.fences import Block, holds_marks, readings, tagged

_BARE = re.compile(r"[ \t]*+(?:`{3,}+|~{3,}+)")
_MOST_CANDIDATES = 6
# Tags and end tokens behind a program: `</answer>`, `<|im_end|>`, `<｜end▁of▁sentence｜>`.
_END_TOKENS = re.compile(r"(?:(?<!\s)\s*+<[^<>\n]{1,40}>){1,10}\s*+\Z")
_TAIL = 500  # characters in which these are looked for
# A model that goes on behind its end: `<|im_end|>`, then another turn.
_SPECIAL_TOKEN = re.compile(r"<[|｜][^<>|｜\n]{1,40}[|｜]>")
_BRACKETED = re.compile(r"\s*\[[A-Z]{1,20}\][ \t]*\r?\n(.*)\n[ \t]*\[/?[A-Z]{1,20}\]\s*", re.DOTALL)
_WRAPPERS = frozenset(
    ("answer", "final_answer", "solution", "code", "program", "output", "response")
)
# What reads standard input, in languages where a program needs no `main`. Assigning to `sys.stdin` is a test's.
_READS = {
    "python": re.compile(
        r"\b(?:raw_)?input[ \t]*+(?:[(,;)]|$)|\bstdin\b(?![ \t]*=[^=])|\bopen[ \t]*\(|\bos\.read\b|\bfileinput\b|\breadline",
        re.MULTILINE,
    ),
    "javascript": re.compile(r"\bstdin\b|readline|readFile|\bprompt\b|\bopenStdin\b"),
}
_MAIN = {
    name: re.compile(pattern)
    for name, pattern in {
        "c": r"\bmain\s*\(",
        "cpp": r"\bmain\s*\(",
        "java": r"\bmain\s*\(",
        "rust": r"\bfn\s+main\b",
        "go": r"\bfunc\s+main\b",
    }.items()
}
_RELATED = {"c": "cpp", "cpp": "c"}  # a program in one is often tagged as the other


class FoundProgram(NamedTuple):
    """A candidate: `source` is None if there's no program, and `reason` says why in words for a person."""

    source: str | None
    reason: str = ""
    fenced: bool = False


def find_program(
    response: str, language: str = "python", entry_point: str = "", *, reads_input: bool = True
) -> FoundProgram:
    """Return the program in `response`, by the strict reading; see `find_programs`."""
    return find_programs(response, language, entry_point, reads_input=reads_input)[0]


def find_programs(
    response: str,
    language: str = "python",
    entry_point: str = "",
    *,
    reads_input: bool = True,
    head: str = "",
) -> list[FoundProgram]:
    """Return the candidates for the program in `response`, the strict reading's first. At least one.

    The program is the first candidate that compiles: later ones are only there if the ones before can't be
    right: they hold a fence's marks, aren't fenced, lack the entry point, or don't read their input. No
    candidate is chosen by what tests say of it.

    Only what follows the thinking part counts. There, of the fenced blocks that aren't blank:
    those in the asked language; else those that name no language; else those in no language known
    here (`text`, `output`) that are programs; else, if nothing is fenced at all, the whole text. Of several
    the last that is a program counts, else the last: one that defines the entry point, has a `main`, or reads
    its input.

    Args:
        language: a name or alias; all its aliases name it in a fence. Raises `OptionError`.
        entry_point: the name of the function or class that's asked for.
        reads_input: whether the tests have input for the program.
        head: the prompt's code that the response may go on from (HumanEval's bare form).
    """
    asked = language_of(language)
    text = after_thinking(response)
    candidates = list(dict.fromkeys(_candidates(text, asked, entry_point, reads_input, head)))
    programs = [candidate for candidate in candidates if candidate.source is not None]
    if head:
        programs = _completed(programs, entry_point, head)
    else:
        # To Bash, marks are pairs of its own: a text with them passes as a program.
        is_bash = asked.name == "bash"
        programs.sort(
            key=lambda candidate: (
                is_bash and holds_marks(candidate.source or ""),
                not is_program(candidate.source or "", asked.name, entry_point, reads_input),
            )
        )
    return (programs or candidates)[:_MOST_CANDIDATES]


def _candidates(
    text: str, asked: Language, entry_point: str, reads_input: bool, head: str
) -> Iterator[FoundProgram]:
    names = {asked.name, *asked.aliases}
    fenced = None
    for blocks in readings(text, names):
        filled = [block for block in blocks if block.text.strip()]
        if not filled and fenced is None:
            fenced = bool(blocks)
            if fenced:
                yield FoundProgram(
                    None, f"no fenced block in {asked.name}: the blocks are all blank"
                )
                return
            yield from _unfenced(text)
            continue
        chosen = _chosen(filled, asked, entry_point, reads_input)
        if chosen is None:
            if fenced is None:
                fenced = True
                languages = list(dict.fromkeys(block.language[:20] for block in filled))[:5]
                why = f"only in {', '.join(languages)}"
                yield FoundProgram(None, f"no fenced block in {asked.name}: the blocks are {why}")
                if not any(holds_marks(block.text) for block in filled):
                    return
            continue
        fenced = True
        yield from _with_tokens_cut(chosen, True)
        if not holds_marks(chosen) and is_program(chosen, asked.name, entry_point, reads_input):
            return
    if fenced is False:
        for part in tagged(text, lambda name: name in _WRAPPERS or name in names):
            yield from _with_tokens_cut(part, False)
        inline = text.strip()
        if inline[:1] == inline[-1:] == "`" and inline.strip("`"):
            yield FoundProgram(inline.strip("`"))


def _unfenced(text: str) -> Iterator[FoundProgram]:
    if wrapped := _BRACKETED.fullmatch(text):
        yield FoundProgram(wrapped[1])
    body, _, last = text.rstrip().rpartition("\n")
    if _BARE.fullmatch(last):  # the end of a fence that the prompt began
        text = body
    if text.strip():
        yield from _with_tokens_cut(text, False)
    else:
        yield FoundProgram(None, "the response is empty")


def _with_tokens_cut(source: str, fenced: bool) -> Iterator[FoundProgram]:
    """Return a source as it is, without the tags and end tokens behind it, and up to its first special token."""
    yield FoundProgram(source, "", fenced)
    ends = (_END_TOKENS.search(source, max(0, len(source) - _TAIL)), _SPECIAL_TOKEN.search(source))
    for end in ends:
        if end is not None and source[: end.start()].strip():
            yield FoundProgram(source[: end.start()] + "\n", "", fenced)


def _chosen(
    filled: Sequence[Block], asked: Language, entry_point: str, reads_input: bool
) -> str | None:
    tiers: list[list[Block]] = [[], [], []]
    for block in filled:
        language = language_tagged(block.language[:30])  # the look-up keeps what it was asked
        if language == asked.name:
            tiers[0].append(block)
        elif not block.language:
            tiers[1].append(block)
        elif language in ("", _RELATED.get(asked.name)):
            tiers[2].append(block)
    programs = [
        [b for b in tier if is_program(b.text, asked.name, entry_point, reads_input)]
        for tier in tiers
    ]
    best = programs[0] or tiers[0] or programs[1] or programs[2] or tiers[1]
    return best[-1].text if best else None


def is_program(source: str, language: str, entry_point: str, reads_input: bool) -> bool:
    """Return whether a block looks like the whole program: not like an example, its output, or a part."""
    if entry_point:
        return defines(source, entry_point)
    if language in _MAIN:
        return _MAIN[language].search(source) is not None
    return not reads_input or language not in _READS or _READS[language].search(source) is not None


def _completed(programs: list[FoundProgram], entry_point: str, head: str) -> list[FoundProgram]:
    """Return the candidates as whole programs: those that define the entry point, then those that continue the head.

    A response may also continue without the head's indentation, or have other text after the function's lines.
    """
    whole = [program for program in programs if defines(program.source or "", entry_point)]
    rests = [program for program in programs if program not in whole]
    head = head if head.endswith("\n") else head + "\n"
    completed = list(whole)
    for rest in rests:
        source = (rest.source or "").lstrip("\n")
        if source[:1] in " \t":
            completed += [rest._replace(source=head + source)]
            completed += [rest._replace(source=head + _indented_part(source))]
    for rest in rests:
        source = (rest.source or "").lstrip("\n")
        if source[:1] not in " \t":
            completed += [rest._replace(source=head + textwrap.indent(source, "    "))]
    return list(dict.fromkeys(completed))


def _indented_part(source: str) -> str:
    """Return the lines up to the first that begins at the margin."""
    margin = re.search(r"^[^\s]", source, re.MULTILINE)
    return source if margin is None else source[: margin.start()]


def defines(source: str, name: str) -> bool:
    """Return whether Python code defines `name` at a line's start: a function, a class, an assignment, an import."""
    named = re.escape(name)
    pattern = (
        rf"^(?:(?:async[ \t]++)?+def|class)[ \t]++{named}\b"
        rf"|^(?:(?!{named}\b)[^\W\d]\w*+[ \t]*+=(?!=)[ \t]*+)*+{named}[ \t]*+(?::[^=\n]*+)?+=(?!=)"
        rf"|^(?:from[ \t]++[\w.]++[ \t]++import|import)\b[^\n#]{{0,300}}\b{named}[ \t]*+(?:[,)#;]|$)"
    )
    return re.search(pattern, source, re.MULTILINE) is not None
