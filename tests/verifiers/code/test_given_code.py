"""The code that a prompt gives away."""

from __future__ import annotations

import pytest

from rlvr import Task
from rlvr.verifiers.code.given import given_code, prelude_of

HEAD = '''from typing import List

def helper(x):
    return x


@staticmethod
def f(xs: List[int]) -> int:
    """Docstring."""
'''
REST = """from typing import List

def helper(x):
    return x



"""


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (HEAD, HEAD),
        ("def f(x):\n", "def f(x):\n"),
        ("def f(x):", "def f(x):"),
        ("class f:\n    pass", "class f:\n    pass"),
        (f"Complete:\n```python\n{HEAD}```", HEAD),
        (f"Complete:\n```\n{HEAD}```\nPlease.", HEAD),
        (f"```python\n{HEAD}```\n```python\nassert f([]) == 1\n```", HEAD),
        (f"```python\ndef f(): 1\n```\n```python\n{HEAD}```", HEAD),
        (f"```js\n{HEAD}```", None),
        ("Write f(x).", None),
        ("f", None),
        ("def g(x):\n    def f(): ...", None),
        ("def f(x) return", None),
        ("", None),
        ("f\0", None),
        ("f" + "(" * 100_000, None),
    ],
)
def test_the_code_that_defines_the_entry_point(text: str, code: str | None) -> None:
    assert given_code(Task(text, "").prompt, "f") == code


def test_the_last_message_that_has_it_and_is_not_a_models() -> None:
    system = {"role": "system", "content": "You write Python."}
    user = {"role": "user", "content": HEAD}
    model = {"role": "assistant", "content": "def f(): cheat()"}
    thanks = {"role": "user", "content": "Once more."}
    assert given_code([system, user, model, thanks], "f") == HEAD
    assert given_code([system, model], "f") is None


def test_the_prelude_is_all_but_the_function() -> None:
    assert prelude_of(HEAD, "f").rstrip("\n") == REST.rstrip("\n")
    assert prelude_of("def f(x):\n", "f").strip() == ""
    assert prelude_of("def f(x): ...\nY = 1\ndef f(x): ...\n", "f").strip() == "Y = 1"
    assert prelude_of(HEAD, "helper").count("def f") == 1
