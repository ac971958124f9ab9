"""Where the program is in a response."""

from __future__ import annotations

import random

import pytest

from rlvr.core.errors import OptionError
from rlvr.sandboxes.languages import LANGUAGES
from rlvr.verifiers.code.extraction import defines, find_program, find_programs
from rlvr.verifiers.fences import fenced, fenced_blocks

FOUND = [
    ("```python\na\n```", "a\n"),
    ("text\n```python\na\nb\n```\nmore", "a\nb\n"),
    ("```py\na\n```", "a\n"),
    ("```Python3\na\n```", "a\n"),
    ("```  python title=main.py\na\n```", "a\n"),
    ("```{.python}\na\n```", "a\n"),
    ("```python:main.py\na\n```", "a\n"),
    ("~~~python\na\n~~~", "a\n"),
    ("````python\na\n```\nb\n````", "a\n```\nb\n"),
    ("```python\na\n`````", "a\n"),
    ("```python\na\n~~~\nb\n```", "a\n~~~\nb\n"),
    ("```python\na\n```python\nb\n```", "a\n```python\nb\n"),
    ("```python\na\n``` \t", "a\n"),
    ("```python\r\na\r\n```\r\n", "a\r\n"),
    # the last may be unclosed
    ("```python\na\nb", "a\nb"),
    ("```python\na\n```\n```python\nb", "b"),
    ("```python\na\n```\n```", "a\n"),
    ("```python\na\n```\n```python\n", "a\n"),
    # the end of a fence that the prompt began
    ("a\nb\n```", "a\nb"),
    ("a\nb\n~~~~\n\n", "a\nb"),
    # the last of several, by language first
    ("```python\na\n```\n```python\nb\n```", "b\n"),
    ("```python\na\n```\n```\nb\n```", "a\n"),
    ("```\na\n```\n```\nb\n```", "b\n"),
    ("```\na\n```\n```text\nb\n```", "a\n"),
    ("```python\na\n```\n```js\nb\n```", "a\n"),
    ("```python\na\n```\n```python\n \n```", "a\n"),
    # in lists, and indented
    ("1. Do:\n\n   ```python\n   a\n     b\n   ```", "a\n  b\n"),
    ("- ```python\n  a\n  ```", "a\n"),
    ("    ```python\n    a\n  b\n    ```", "a\nb\n"),
    ("\t```python\n\ta\n\t```", "a\n"),
    # a closing fence isn't further in than its opening: this one is in a docstring
    (
        '```python\n"""\n    ```\n    x\n    ```\n"""\na\n```',
        '"""\n    ```\n    x\n    ```\n"""\na\n',
    ),
    # no fences: inline code, fewer than three, text before them
    ("a ```python\nb", "a ```python\nb"),
    ("``python\nb", "``python\nb"),
    ("```a``` b", "```a``` b"),
    ("    return 1", "    return 1"),
    ("<think>```python\na\n```</think>\n```python\nb\n```", "b\n"),
    ("<think>x</think>    return 1\n", "    return 1\n"),
    ("```python\na\n```<think>", "a\n"),
]


@pytest.mark.parametrize(("response", "source"), FOUND)
def test_the_program(response: str, source: str) -> None:
    assert find_program(response).source == source


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ("", "the response is empty"),
        (" \n\t", "the response is empty"),
        ("<think>```python\na\n```</think>", "the response is empty"),
        ("<think>```python\na\n```", "the response is empty"),
        ("```", "the response is empty"),
        ("```js\na\n```", "no fenced block in python: the blocks are only in js"),
        ("```js\na\n```\n```text\na\n```\n```js\n```", "only in js, text"),
        ("```python\n\n```", "all blank"),
    ],
)
def test_where_there_is_none_it_says_why(response: str, reason: str) -> None:
    found = find_program(response)
    assert found.source is None
    assert reason in found.reason


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_by_all_its_names(language: str) -> None:
    for name in (language, *LANGUAGES[language].aliases):
        for written in (name, name.upper()):
            response = f"```{written}\nright\n```\n```other\nwrong\n```"
            assert find_program(response, language).source == "right\n"
            assert find_program(response, name).source == "right\n"
    other = "python" if language != "python" else "cpp"
    assert find_program(f"```{other}\nwrong\n```", language).source is None
    assert find_program("```\nbare\n```", language).source == "bare\n"


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(OptionError):
        find_program("```cobol\na\n```", "cobol")


A, B = "def f():\n    pass\n", "print(f())\n"


@pytest.mark.parametrize(
    ("blocks", "chosen"),
    [
        ([A, B], A),
        ([B, A], A),
        ([A, "f = lambda: 1\n", B], "f = lambda: 1\n"),
        ([A, "async def f(): 1\n"], "async def f(): 1\n"),
        ([A, "class f: 1\n"], "class f: 1\n"),
        ([A, "f: int = 1\n"], "f: int = 1\n"),
        ([A, "x = 1\n\n\ndef  f (x): 1\n"], "x = 1\n\n\ndef  f (x): 1\n"),
        ([A, "def fg(): 1\n", " def f(): 1\n", "f == 1\n", "# def f\n", "f.x = 1\n"], A),
        ([B, "g = 1\n"], "g = 1\n"),
    ],
)
def test_the_last_that_defines_the_entry_point(blocks: list[str], chosen: str) -> None:
    response = "\n".join(f"```python\n{block}```" for block in blocks)
    assert find_program(response, entry_point="f").source == chosen


def test_only_blocks_in_the_language_are_candidates_where_there_are_any() -> None:
    assert find_program(f"```python\n{B}```\n```\n{A}```", entry_point="f").source == B


@pytest.mark.parametrize("source", [A, "a\n```\nb\n", "'''\n````python\n'''\n", "~~~\n", "a"])
def test_what_is_fenced_comes_back(source: str) -> None:
    for language in ("python", "cpp"):
        assert (
            find_program(f"So:\n{fenced(source, language)}\n", language).source
            == source.rstrip() + "\n"
        )


MEGABYTE = 1_000_000
HOSTILE = {
    "backticks": "`" * MEGABYTE,
    "backticks and a letter": "`" * MEGABYTE + "a`",
    "tildes": "~" * MEGABYTE + " ~",
    "openings": "```python\n" * (MEGABYTE // 10),
    "pairs": "```\na\n```\n" * (MEGABYTE // 10),
    "growing": "\n".join("`" * n for n in range(3, 1400)),
    "list marks": "- " * (MEGABYTE // 2) + "```x`",
    "numbers": "1. " * (MEGABYTE // 3) + "```x`",
    "digits": "1" * MEGABYTE,
    "spaces": " " * MEGABYTE + "```x`",
    "spaces in the info": "```" + " " * MEGABYTE + "`",
    "braces in the info": "```" + "{" * MEGABYTE,
    "a long info": "```" + "a" * MEGABYTE + "\nx\n```",
    "carriage returns": "```" + "\r" * MEGABYTE,
    "definitions": "```python\n" + "def \t" * (MEGABYTE // 5),
    "almost definitions": "```python\n" + "f:" * (MEGABYTE // 2),
    "names": "```python\n" + "f \n" * (MEGABYTE // 3),
    "nesting": "```python\n" + "(" * MEGABYTE,
    "thinking": "<think></think>" * (MEGABYTE // 15),
    "other languages": "```js\na\n```\n" * (MEGABYTE // 12),
    "surrogates": "\udc80" * MEGABYTE,
    "NUL": "\0" * MEGABYTE,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_megabyte_is_read_in_linear_work(name: str) -> None:
    """In quadratic work each of these would take hours."""
    found = find_program(HOSTILE[name], entry_point="f")
    assert found.source is None or len(found.source) <= len(HOSTILE[name])


def test_blocks_of_random_texts_are_parts_of_them() -> None:
    pieces = ["```", "~~~", "````", "python", "\n", "\n", " ", "- ", "a", "\r\n", "`", "\t", "1. "]
    rng = random.Random(5)
    for _ in range(3000):
        text = "".join(rng.choices(pieces, k=rng.randrange(30)))
        for block in fenced_blocks(text):
            for line in block.text.split("\n"):
                assert line in text


def test_defines_is_no_search_in_words() -> None:
    assert defines("def f(x): ...", "f")
    assert not defines("undef f(x): ...", "f")
    assert not defines("def f_(x): ...", "f")
    assert not defines("x = f", "f")
    assert defines("from operator import add as g, f", "f")
    assert defines("from a.b import g as f", "f")
    assert defines("import c.d as f", "f")
    assert defines("g = f = lambda: 1", "f")
    assert not defines("from f import g", "f")
    assert not defines("from a import f as g", "f")


READS, WRONG = "print(sum(map(int, input().split())))\n", "print(7)\n"
CPP = "int main() { }\n"


@pytest.mark.parametrize(
    ("response", "language", "first"),
    [
        # examples, outputs and tests behind the program
        (f"```\n{READS}```\n```\n2 5\n7\n```", "python", READS),
        (f"```python\n{READS}```\n```python\n{WRONG}```", "python", READS),
        (f"```python\n{READS}```\n```python\nimport sys, io\nsys.stdin = io.StringIO('2 5')\nsolve()\n```", "python", READS),
        (f"```python\n{WRONG}```\n```python\n{READS}```", "python", READS),
        (f"```cpp\n{CPP}```\n```cpp\ncout << a + b;\n```", "cpp", CPP),
        ("```js\nconst d = require('fs').readFileSync(0)\n```\n```js\nf(2)\n```", "javascript", "const d = require('fs').readFileSync(0)\n"),
        # tags: with a version, and none that names a language, if it's a program
        *((f"```{tag}\n{CPP}```\n```\nx\n```", "cpp", CPP) for tag in ("c++11", "C++23", "cpp14", "cpp2a", "c++1z", "gnu++17", "c", "C++98")),
        *((f"```{tag}\n{READS}```\n```\nx\n```", "python", READS) for tag in ("python3.11", "python-3", "ipython3", "text", "console", "main.py", "solution")),
        ("```java17\nvoid main(\n```", "java", "void main(\n"),
        # to Bash, marks are no errors
        ("Here: ```bash\nread n\n```", "bash", "read n\n"),
        # a constant isn't a program that reads, and the prose before it is none, either
        (f"```python\n{WRONG}```", "python", WRONG),
    ],
)  # fmt: skip
def test_the_block_that_is_a_program(response: str, language: str, first: str) -> None:
    assert find_programs(response, language)[0].source == first


@pytest.mark.parametrize(
    "response",
    [
        f"```python\n{READS}```</answer>",
        f"```python\n{READS[:-1]}```",
        f"```python\n{READS}``` It adds them.",
        f"```python\n{WRONG[:-1]}```\nNo:\n```python\n{READS[:-1]}```<|im_end|>",
        f"Here: ```python\n{READS}```",
        f"<answer>```python\n{READS}```</answer>",
        f"```python {READS[:-1]}```",
        f"{READS}```\nIt adds them.",
        f"<answer>\n{READS}</answer>",
        f"So.\n<solution>\n{READS}</solution>",
        f"[PYTHON]\n{READS}[/PYTHON]",
        f"{READS[:-1]}<|im_end|>",
        f"{READS}<\uff5cend\u2581of\u2581sentence\uff5c>",
        f"```python\n{READS[:-1]}<|endoftext|>",
        f"`{READS[:-1]}`",
        f"~~~python\n{READS[:-1]}~~~",
        f"````markdown\nSo:\n```python\n{READS}```\n````",
        f'<pre><code class="language-python">{READS}</code></pre>',
        f"{READS[:-1]}<|im_end|>\n<|im_start|>user\nThanks!",
        f"```python\n{READS}\n<|eot_id|>\nassistant\n\nMore text",
    ],
)
def test_what_surrounds_a_program_loosely(response: str) -> None:
    found = [(each.source or "").strip() for each in find_programs(response)]
    assert READS.strip() in found
    assert WRONG.strip() not in found[: found.index(READS.strip())]


def test_nothing_is_tried_behind_a_program_that_can_be_right() -> None:
    draft = f"```python\n{READS}```\nBetter:\n```python\nprint(input()\n```"
    assert [each.source for each in find_programs(draft)] == ["print(input()\n"]


HEAD = 'def add(x, y):\n    """Add."""\n'


@pytest.mark.parametrize(
    ("response", "program"),
    [
        ("    return x + y\n", HEAD + "    return x + y\n"),
        ("    return x + y\n```\nIt adds.", HEAD + "    return x + y\n"),
        ("    return x + y\n```\n```python\nprint(add(1, 2))\n```", HEAD + "    return x + y\n"),
        ("    return x + y<|im_end|>", HEAD + "    return x + y\n"),
        ("```python\n    return x + y\n```", HEAD + "    return x + y\n"),
        ("return x + y", HEAD + "    return x + y"),
        ("    return x + y\n\n\ndef g(:", HEAD + "    return x + y\n\n\n"),
        ("def add(x, y): return x + y", "def add(x, y): return x + y"),
    ],
)
def test_a_response_may_go_on_from_the_head(response: str, program: str) -> None:
    found = find_programs(response, entry_point="add", head=HEAD)
    compiled = [each.source for each in found if _compiles(each.source or "")]
    assert compiled[0] == program


def _compiles(source: str) -> bool:
    try:
        compile(source, "", "exec")
    except SyntaxError:
        return False
    return True
