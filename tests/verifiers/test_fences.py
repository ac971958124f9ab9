"""The parts of a response: its thoughts, its fenced blocks and how else they may be read, code spans and tags."""

from __future__ import annotations

import pytest

from rlvr.core.thinking import after_thinking
from rlvr.verifiers.fences import code_spans, fenced_blocks, holds_marks, readings, tagged

PROGRAM = "```python\ns = '</think>'\n```"
TAG_ON_ITS_LINE = "```python\ns = '''\n</think>\n'''\n```"


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("<think>a</think>b", "b"),
        ("\ufeff \n<think>a</think>b", "b"),
        ("<think>a</think>\n    return 1\n", "\n    return 1\n"),
        ("<think>a</think>\n<think>b</think>c", "c"),
        ("<think>a</think></think>c", "c"),
        ("<think>a", ""),
        ("<think>a</think><think>b", ""),
        # a prompt opened the thoughts
        ("a\n</think>\n\nb", "\n\nb"),
        ("a.</think>\n\nb", "\n\nb"),
        ("a. </think>\n\nb", "\n\nb"),
        ("</think>\nb", "\nb"),
        ("a\n</think>", ""),
        ("```\ndraft\n```\n</think>\n\nb", "\n\nb"),
        ("```python\ndraft\n```</think>\n\n```python\nb\n```", "\n\n```python\nb\n```"),
        ("```python\ndraft\n</think>\n\n```python\nb\n```", "\n\n```python\nb\n```"),
        ("```python\ndraft\n</think>\n\nb", "\n\nb"),
        # the first closing tag ends them: nothing can be hidden before a later one
        ("<think>a</think>b, c\n</think>\nd", "b, c\n</think>\nd"),
        ("a\n</think>\nb, c\n</think>\nd", "\nb, c\n</think>\nd"),
    ],
)
def test_what_follows_the_thinking_part(response: str, answer: str) -> None:
    assert after_thinking(response) == answer


@pytest.mark.parametrize(
    "response",
    [
        PROGRAM,
        TAG_ON_ITS_LINE,
        "```python\ns = 'a<think>b</think>c'\n```",
        "```python\n# text after </think> counts\n```",
        "SELECT name FROM t WHERE name <> '</think>'",
        "Thoughts end with </think> in most models.",
        "It ends with </think>\nAnd the answer follows.",
        "The last tag is `</think>`\nand so on",
        "The last tag is </think>",
        "apples, plums</think> That is all.",
        "I won't use <think> tags here.\n```python\na\n```",
        "Models write\n<think>\nthoughts\n</think>\nfirst.",
        "```python\na\n```\nIt ignores what stands before </think>.",
        "<b>a</b>",
    ],
)
def test_a_tag_anywhere_else_is_text(response: str) -> None:
    assert after_thinking(response) == response
    assert after_thinking(f"<think>x</think>{response}") == response


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("```py\na = 1```\nmore", ["a = 1"]),
        ("```py\na = 1\n``` This works.", ["a = 1"]),
        ("```py\na = 1\n```.", ["a = 1"]),
        ("```py\na = 1\n```</answer>", ["a = 1"]),
        ("```py\na = 1\n```<|im_end|>", ["a = 1"]),
        ("```py\na = 'b'``` It works.", ["a = 'b'"]),
        ("So: ```py\na = 1\n```\nmore", ["a = 1"]),
        ("<answer>```py\na = 1\n```</answer>", ["a = 1"]),
        ("**```py\na = 1\n```**", ["a = 1"]),
        ("```py a = 1```", ["a = 1"]),
        ("It is ```a = 1``` here", ["a = 1"]),
        ("```py\na = 0```\nNo:\n```py\na = 1\n```", ["a = 0", "a = 1"]),
        ("```py\na = 0\n```py\na = 1\n```", ["a = 0", "a = 1"]),
        ("```py\na = 1\n```py", ["a = 1"]),
        ("- ```py\n  a = 1\n    b = 1```", ["a = 1\n  b = 1"]),
        ("```py\na = '```'\n```</s>", ["a = '```'"]),
        ("```py\na = f'```{b}'\n```</s>", ["a = f'```{b}'"]),
        (
            '```py\n"""\n    ```\n    x\n    ```\n"""\na```',
            ['"""\n    ```\n    x\n    ```\n"""\na'],
        ),
    ],
)
def test_the_loose_reading(text: str, blocks: list[str]) -> None:
    loose = list(readings(text, {"py"}))[1]
    assert [block.text.strip() for block in loose] == blocks
    assert {block.language for block in loose} <= {"py", ""}


def test_a_block_that_the_prompt_opened() -> None:
    for text in (
        "    return 1\n```\nIt returns 1.",
        "    return 1\n```",
        "    return 1```<|eot_id|>",
    ):
        assert list(readings(text))[2][0].text.rstrip() == "    return 1"


@pytest.mark.parametrize(
    "block", ["a = '```'\n", 'a = """\n    ```\n"""\n', "a = 1\n", "a = `b`\n"]
)
def test_marks_that_are_no_end(block: str) -> None:
    assert not holds_marks(block)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff```py\na\n```",
        "\u200b```py\na\n```",
        "> ```py\n> a\n> ```",
        "> > ```py\n> > a\n> > ```\n",
    ],
)
def test_invisible_characters_and_quotations(text: str) -> None:
    (block,) = fenced_blocks(text)
    assert (block.language, block.text.strip("> \n")) == ("py", "a")


def test_the_first_line_of_code_behind_the_language_is_kept() -> None:
    (block,) = fenced_blocks("```sql SELECT a\nFROM t\n```")
    assert (block.language, block.info, block.text) == ("sql", "SELECT a", "FROM t\n")


def test_code_spans() -> None:
    assert code_spans("Use `a` or ``b `c` d``, not `e") == ["a", "b `c` d"]
    assert code_spans("```` x ``` y ````") == [" x ``` y "]


def test_tags() -> None:
    text = "<answer>a</answer> no <Answer>b <sql>c</sql></Answer> <x>d"
    assert list(tagged(text)) == ["d", "b <sql>c</sql>", "c", "a"]
    assert list(tagged(text, {"answer"}.__contains__)) == ["b <sql>c</sql>", "a"]


HOSTILE = ["`", "```a", "``` ", "x```\n", "~~~\n", "'```", "``a`", "<a>", "<a></b>", "```py ", "\n</think>", "</think> \n", "```\n</think>\n"]  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE)
def test_half_a_megabyte_is_read_in_linear_work(unit: str) -> None:
    """In quadratic work each of these would take minutes."""
    text = unit * (500_000 // len(unit))
    assert sum(map(len, readings(text, {"py"}))) <= len(text)
    assert len(after_thinking(text)) <= len(text)
    list(tagged(text))
    code_spans(text)
    holds_marks(text[:100_000])
