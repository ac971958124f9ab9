"""An answer's variables under the gold's names, where an author allows other names."""

from __future__ import annotations

from rlvr.verifiers.math.tree import CONSTANTS, Sym, Tree, children, rebuilt


def renamed(gold: Tree, answer: Tree) -> Tree:
    """`answer` with its variables named as the gold's, in order of appearance."""
    ours, theirs = _appearing(gold), _appearing(answer)
    if len(ours) != len(theirs) or set(ours) == set(theirs):
        return answer
    names = dict(zip(theirs, ours, strict=True))
    return _replaced(answer, names)


def _appearing(tree: Tree) -> list[str]:
    if isinstance(tree, Sym):
        return [] if tree.name in CONSTANTS else [tree.name]
    return list(dict.fromkeys(name for inside in children(tree) for name in _appearing(inside)))


def _replaced(tree: Tree, names: dict[str, str]) -> Tree:
    if isinstance(tree, Sym):
        return Sym(names.get(tree.name, tree.name))
    inside = children(tree)
    return rebuilt(tree, tuple(_replaced(one, names) for one in inside)) if inside else tree
