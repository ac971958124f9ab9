"""The reader's position in an answer's tokens."""

from __future__ import annotations

from collections.abc import Callable

from rlvr.verifiers.math.tree import Tree
from rlvr.verifiers.math.vocabulary import END, Token, Unreadable

MAX_DEPTH = 50


class Cursor:
    """A position in the tokens, with the depth of the construct that is being read."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0

    def peek(self, ahead: int = 0) -> Token:
        """Return the next token, or one after it; `END` past the last."""
        try:
            return self.tokens[self.at + ahead]
        except IndexError:
            return END

    def take(self) -> Token:
        """Return the next token and move past it."""
        token = self.peek()
        self.at += 1
        return token

    def skip(self, *texts: str) -> bool:
        """Move past the next token if it is one of these and not a number, and return True if it was."""
        kind, text = self.peek()
        if text in texts and kind != "num":
            self.at += 1
            return True
        return False

    def expect(self, *texts: str) -> str:
        """Move past the next token, which must be one of these."""
        token = self.take()
        if token.text not in texts:
            wanted = " or ".join(texts)
            raise Unreadable(f"{wanted} expected, not {token.text or 'the end'}")
        return token.text

    def remark(self) -> str:
        """Move past words at the beginning or the end of a value, and return them; "" if there are none."""
        return self.take().text if self.peek().kind == "said" else ""

    def deeper(self, construct: Callable[[], Tree]) -> Tree:
        """Read `construct` one level deeper."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unreadable(f"over {MAX_DEPTH} levels deep")
        tree = construct()
        self.depth -= 1
        return tree
