"""Hidden tests never show: not in feedback, not in detail, whatever the response does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cheats import CHEATS

import rlvr
from rlvr import Code, Scored, Task

CANARY = "c4n4ry"
STDIN = {
    "tests": [{"stdin": "seen", "stdout": "seen"}, {"stdin": CANARY + "1", "stdout": CANARY + "2"}]
}
CHECKED = STDIN | {
    "checker": {
        "source": "import sys\nsys.exit(open(sys.argv[2]).read() != open(sys.argv[3]).read() and open(sys.argv[3]).read())"
    }
}
ASSERTS = {
    "asserts": ["assert f('seen') == 'seen'", f"assert f('{CANARY}1') == '{CANARY}2', '{CANARY}3'"]
}
CHECK = {"asserts": ASSERTS["asserts"][:1], "entry_point": "f", "test": f"def check(c):\n    assert c('{CANARY}1') == '{CANARY}2', '{CANARY}3'"}  # fmt: skip
REFERENCES = {"stdin": STDIN, "checker": CHECKED, "asserts": ASSERTS, "check": CHECK}

LEAKS = {
    "echo": "def f(x): return x + '!'",
    "says it": "def f(x):\n    import sys\n    print(x)\n    print(x, file=sys.stderr)\n    return x + '!' if x != 'seen' else x",
    "raises it": "def f(x):\n    if x != 'seen': raise ValueError(x)\n    return x",
    "asserts it": "def f(x):\n    assert x == 'seen', x\n    return x",
    "as the name of an error": "def f(x):\n    if x != 'seen': raise type(x, (Exception,), {})(x)\n    return x",
    "as the name of an assertion": "def f(x):\n    if x != 'seen': raise type('AssertionError' + x, (AssertionError,), {})(x)\n    return x",
    "a name with a colon": "def f(x):\n    if x != 'seen': raise type('ValueError: ' + x, (ValueError,), {})(x)\n    return x",
    "as an exit message": "import sys\ndef f(x):\n    if x != 'seen': sys.exit(x)\n    return x",
    "dies with it": "import os\ndef f(x):\n    if x != 'seen':\n        os.write(2, x.encode())\n        os._exit(7)\n    return x",
    "hangs with it": "import time\ndef f(x):\n    if x != 'seen':\n        print(x, flush=True)\n        time.sleep(60)\n    return x",
    "returns an object with it": "class F:\n    def __init__(s, x): s.x = x\n    def __repr__(s): return s.x\n    __str__ = __repr__\ndef f(x): return F(x) if x != 'seen' else x",
    "forges the sandbox's words": "def f(x):\n    if x != 'seen': raise type('the solution exited with status ' + x + ' before it answered', (Exception,), {})()\n    return x",
}  # fmt: skip


def test_the_canary_would_be_found() -> None:
    """Were the tests public, it would show: the search below looks in the right place."""
    for name, reference in REFERENCES.items():
        verdict = judged(name, LEAKS["raises it"], "all", reference | {"public": 2})
        assert CANARY in said(verdict)


@pytest.mark.sweep(gate=16)
@pytest.mark.parametrize("reward", ["all", "fraction"])
@pytest.mark.parametrize("form", REFERENCES)
@pytest.mark.parametrize("leak", LEAKS)
def test_nothing_of_a_hidden_test_shows(leak: str, form: str, reward: Any) -> None:
    public = REFERENCES[form] | {"public": 1}
    for reference in (REFERENCES[form], public):
        verdict = judged(form, LEAKS[leak], reward, reference)
        assert isinstance(verdict, Scored), verdict
        assert verdict.reward < 1
        assert CANARY not in said(verdict)


@pytest.mark.parametrize("form", REFERENCES)
def test_nor_by_any_cheat(form: str) -> None:
    for cheat in CHEATS.values():
        assert CANARY not in said(judged(form, cheat, "all", REFERENCES[form]))


def test_nor_in_what_a_compiler_says() -> None:
    for form, reference in REFERENCES.items():
        assert CANARY not in said(judged(form, "def f(x:", "all", reference))


def judged(form: str, source: str, reward: Any, reference: Any) -> rlvr.Verdict:
    if form in ("stdin", "checker"):
        source += "\nprint(f(input()), end='')\n"
    verifier = Code(reward, limits={"wall_s": 1, "cpu_s": 1})
    return rlvr.score([Task("", reference)], [f"```python\n{source}\n```"], verifier)[0]


def said(verdict: rlvr.Verdict) -> str:
    return json.dumps([verdict.to_json(), verdict.detail])
