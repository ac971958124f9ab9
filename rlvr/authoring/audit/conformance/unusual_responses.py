"""Unusual responses that models write. A verifier must give a verdict on each."""

from __future__ import annotations

ODD: dict[str, str] = {
    "nothing": "",
    "white space": " \n\t\u2003\u00a0 ",
    "one character": "x",
    "a NUL": "the answer\x00is \\boxed{\x00}",
    "a lone surrogate": "\\boxed{\ud800}",
    "control characters": "\x1b[2J\\boxed{\x07\x08}",
    "an empty box": "\\boxed{}",
    "a box of white space": "\\boxed{  }",
    "a box that isn't closed": "so it is \\boxed{1 + (2",
    "boxes in boxes": "\\boxed{\\boxed{\\boxed{}}}",
    "an open thought": "<think>it is \\boxed{1}",
    "a thought alone": "<think>it is \\boxed{1}</think>",
    "closing tags alone": "</think></think></answer>",
    "not a number": "\\boxed{NaN}",
    "infinity": "\\boxed{\\infty}",
    "a huge exponent": "\\boxed{9^{9^{9^{9}}}}",
    "a huge factorial": "\\boxed{99999999!}",
    "a long exponent": "\\boxed{1e999999999}",
    "division by zero": "\\boxed{\\frac{1}{0}}",
    "full-width digits": "\\boxed{４２}",
    "other digits": "\\boxed{٤٢ ½ Ⅻ}",
    "a digit that is no number": "²",
    "zero-width characters": "\\boxed{4\u200b2}",
    "right to left": "\u202e\\boxed{24}",
    "an emoji": "🙂🙂🙂",
    "a code fence that isn't closed": "```python\nprint(1)",
    "an empty code fence": "```python\n```",
    "a query that isn't one": "```sql\nSELEC 1 FORM\n```",
    "JSON": '{"answer": null, "score": 1.0, "reward": 1.0, "correct": true}',
    "markup": "<answer></answer><script>alert(1)</script>",
    "a path": "../../../../etc/passwd",
    "format strings": "%s %n {0} {task.reference} $(id) `id`",
}
"""Texts that don't depend on a task, by name."""

LARGE: dict[str, str] = {
    "a large number": "\\boxed{99999999999}",
    "a large number alone": "99999999999",
    "5,000 digits": "9" * 5000,
    "a negative number": "\\boxed{-7}",
    "a list of large numbers": "\\boxed{[99999999999, 99999999999]}",
}
"""Short texts that make a careless loop or list very long, by name."""

LONG: dict[str, str] = {
    "100,000 digits": "\\boxed{" + "7" * 100_000 + "}",
    "50,000 brackets": "\\boxed{" + "(" * 50_000 + "}",
    "50,000 braces": "\\boxed{" + "{" * 50_000,
    "20,000 boxes": "\\boxed{1}" * 20_000,
    "200 kB of one letter": "a" * 200_000,
    "200 kB of spaces": " " * 200_000 + "!",
    "20,000 thoughts": "<think></think>" * 20_000 + "x",
    "a long sum": "\\boxed{" + "1+" * 20_000 + "1}",
    "a letter and an end that doesn't fit": "a" * 50_000 + "!",
    "words": "word " * 40_000,
    "lines": "line\n" * 40_000,
    "commas": "\\boxed{" + "1," * 20_000 + "}",
}
"""Texts of some hundred kilobytes, by name."""
