"""The class that a Java program starts with, and the file that the compiler wants it in.

javac wants a public class in a file of its own name, and java wants to be told the class with `main`. People
submit `public class Solution`, a helper class before the main one, or a `package` line; graders accept these.
Linear in the source's length: it runs in the caller's process on whatever a model wrote.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# Comments, text blocks, strings and characters: nothing in them is code. The ends are optional, so that no
# text is read twice.
_NO_CODE = re.compile(
    r"//[^\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/)?"
    r'|"""(?:[^"\\]|\\.|"(?!""))*+(?:""")?|"(?:[^"\\\n]|\\.)*+"?|\'(?:[^\'\\\n]|\\.)*+\'?',
    re.DOTALL,
)
_TOKEN = re.compile(
    r"(?P<mark>[{}();])|(?<![\w$.])(?:(?P<modifier>public|static)(?![\w$])"
    r"|package\s++(?P<package>[\w$]++(?:\s*+\.\s*+[\w$]++)*+)"
    r"|(?:class|interface|enum|record)\s++(?P<type>[\w$]++)"
    r"|(?P<main>void\s++main\s*+\()\s*+(?:final\s++)?+(?:java\.lang\.)?+String(?![\w$]))"
)
_LONGEST_NAME = 60  # characters: a file's name with 4 bytes for each still fits
_LONGEST_PACKAGE = 1000


class Entry(NamedTuple):
    """The name of the source file, and the class to start with its package: "Main.java", "org.x.Main"."""

    file: str
    main: str


class _Type(NamedTuple):
    name: str
    is_public: bool
    has_main: bool


def entry_of(source: bytes) -> Entry:
    """Return where a Java program goes and where it begins; `Main` if nothing in it says so."""
    text = _NO_CODE.sub(" ", source.decode("utf-8", "replace"))
    types: list[_Type] = []
    package = ""
    braces = parentheses = 0
    modifiers: set[str] = set()
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "mark":
            mark = token[0]
            if mark in "()":
                parentheses = max(0, parentheses + (1 if mark == "(" else -1))
            elif not parentheses:  # in an annotation's or a lambda's braces nothing is declared
                braces = max(0, braces + {"{": 1, "}": -1, ";": 0}[mark])
                modifiers = set()
        elif parentheses:
            continue
        elif kind == "modifier":
            modifiers.add(token[0])
        elif kind == "main":
            parentheses += 1
            if braces == 1 and types and "static" in modifiers:
                types[-1] = types[-1]._replace(has_main=True)
        elif not braces and kind == "package":
            # Cut: what goes to a cell in one message is bounded, and no folder of such a name can be made.
            package = "".join(token["package"][:_LONGEST_PACKAGE].split()).rstrip(".") + "."
        elif not braces:
            types.append(_Type(token["type"][:_LONGEST_NAME], "public" in modifiers, False))
    public = next((declared.name for declared in types if declared.is_public), "Main")
    ordered = sorted(types, key=lambda t: (not t.has_main, not t.is_public, t.name != "Main"))
    start = ordered[0].name if ordered else "Main"
    return Entry(f"{public}.java", package + start)
