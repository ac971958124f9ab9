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
    return x"""


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


def test_the_prelude_is_what_else_is_defined() -> None:
    assert prelude_of(HEAD, "f") == REST
    assert prelude_of("def f(x):\n", "f") == ""
    assert (
        prelude_of("def f(x): ...\nY = 1\nZ: int = 2\ndef f(x): ...\n", "f") == "Y = 1\nZ: int = 2"
    )
    assert "def f" in prelude_of(HEAD, "helper")


def test_the_prelude_does_nothing_with_the_function() -> None:
    code = """import math
@cache
def g(x):
    return f(x)
class C:
    def m(self): return f(1)
def f(x):
    ...
assert f(1) == 2
print(f(1))
y = f(1)
z: int = f(1)
if __name__ == "__main__":
    f(1)
for i in range(3):
    f(i)
"""
    kept = code.partition("def f(x)")[0].rstrip("\n")
    assert prelude_of(code, "f") == kept
