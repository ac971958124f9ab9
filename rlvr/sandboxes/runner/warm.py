"""Do beforehand what every fork would do for itself, each time anew.

The interpreter sets up its compiler when it's first used, adapts functions to what they're called with, and fills
caches: in a fork that costs time, and a copy of every page it touches.
"""

from __future__ import annotations

import gc
import os
import socket
import sys
from collections.abc import Callable

from .solution import answer
from .testing import judged

_ROUNDS = 12  # functions adapt when they're called for the eighth time
_SOLUTION = b"""
from typing import Dict, List, Optional, Tuple

class Pair:
    def __init__(self, a: int, b: int) -> None:
        self.a, self.b = a, b

def f(x: int, *more, **named) -> Optional[List[int]]:
    \"\"\"One of many. \"\"\"
    found = {}
    for i, one in enumerate([x + 1 for _ in range(2)]):
        if one > 0 and not found.get(i):
            found[i] = f"{one}" + str(more)
        elif one == 3:
            continue
    try:
        return [x + 1, lambda y: y][0] if x >= 0 else sorted(more[0], key=lambda y: -y)
    except (KeyError, IndexError):
        while True:
            break
"""
_CHECK = """
import math

def check(candidate):
    assert candidate(1) == 2, "message"
    assert candidate(2, "text", 0.5, None, True, (1, 2), {"a": [1]}, {1}) == 3
    assert candidate(-1, [3, 1, 2]) == [3, 2, 1]
    assert abs(candidate(3) - 4) < 1e-6 and math.isclose(candidate(3, y=1), 4.0)
    for i in range(3):
        assert candidate(i) == i + 1
"""
_TESTS = {
    "prelude": "from typing import List", "setup": "", "check": _CHECK, "entry_point": "f", "stop": False,
    "asked": {"names": ["Pair", "f"], "imports": {}, "modules": [], "judges": {}, "own": [], "refused": ""},
    "carried": {"surroundings": [], "objects": [], "asserts_within": False, "stop_iteration": False},
    "asserts": ["assert f(1) == 2", "assert set(f(-1, [1, 2])) == set([1, 2])", "assert Pair(1, 2).a == 1"],
}  # fmt: skip


def warm_up() -> None:
    """Have solutions judged, with this process as either side."""
    for _ in range(_ROUNDS):
        _beside(_solve, _judge)
        _beside(_judge, _solve)
    for name in ("solution", "tests"):
        sys.modules.pop(name, None)
    gc.collect()


def _beside(mine: Callable[[int], None], in_child: Callable[[int], None]) -> None:
    """Call one function here and the other in a child process."""
    near, far = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            near.close()
            in_child(far.detach())
        finally:
            os._exit(0)
    far.close()
    mine(near.detach())
    os.waitpid(pid, 0)


def _solve(channel: int) -> None:
    answer(channel, [("prelude.py", b"from typing import List"), ("solution.py", _SOLUTION)])


def _judge(channel: int) -> None:
    report = os.memfd_create("report")
    judged(channel, _TESTS, report)
    os.close(report)
