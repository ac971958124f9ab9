"""Answers made to hang, crash or exhaust the verifier: each gets a verdict, and the next is unharmed."""

import ast
import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import rlvr
import rlvr.verifiers.math
from rlvr.scoring import default_pool

HOSTILE = {
    "a tower": "10^{10^{10}}",
    "five factorials": "9!!!!!",
    "nested factorials": "((9!)!)!",
    "powers in plain text": "9**9**9**9",
    "a taller tower": "9^{9^{9^{9}}}",
    "10,000 brackets": "(" * 10_000 + "1" + ")" * 10_000,
    "60 roots": "\\sqrt{" * 60 + "2" + "}" * 60,
    "100,000 digits": "1" * 100_000,
    "a large power": "2^{10^8}",
    "a set of 1000": "\\{" + ",".join(map(str, range(1000))) + "\\}",
    "a big sum": "\\sum_{k=1}^{10^{9}} k",
    "a big product": "\\prod_{k=1}^{10^9} k",
    "an integral": "\\int_0^1 e^{x^2}dx",
    "a big binomial": "\\binom{10^9}{5\\cdot10^8}",
    "NUL": "\x00",
    "a lone surrogate": "\ud800",
    "an exponential tower": "e^{e^{e^{e^{e}}}}",
    "3000 fractions": "\\frac{" * 3000,
    "5000 terms": "1+" * 5000 + "1",
    "a polynomial of degree 1998": "(x+y+z+w)^{999}(x-1)^{999}",
    "a root of 3999 digits": "7" * 3999 + "^{1/2}",
    "a large argument": "\\tan(10^{100})",
    "5000 commas": "1," * 5000 + "1",
    "nested powers": "((" * 24 + "x" + "+1)^2)" * 24,
    "division by zero": "1/(1/(1/(1/0)))",
    "a product of factorials": "1000!" * 50,  # over the digits that Python writes of one integer
    "a root of high degree": "9" * 76 + "^{63/64}",
    "powers that nearly cancel": "3^{9999}-3^{9998}",
    "an unknown function of a factorial": "f(1000000!)",
    "a percentage to a power": "((1e999\\%))^{e}",
}
GOLDS = ("42", "x^2+1", "\\frac{\\sqrt{3}}{2}", "(1,2)", "\\sum_{k=1}^n k")


@pytest.mark.parametrize("answer", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_answer_gets_a_verdict_and_harms_nobody(answer):
    verifier = rlvr.Math()
    for gold in GOLDS:
        hostile, next_one = rlvr.score(
            [rlvr.Task("", gold), rlvr.Task("", "2\\sqrt{3}")],
            [f"\\boxed{{{answer}}}", "\\boxed{\\frac{6}{\\sqrt{3}}}"],
            verifier,
        )
        assert isinstance(hostile, rlvr.Scored)
        assert hostile.reward == 0.0
        assert next_one.reward == 1.0


@pytest.mark.parametrize(
    "response",
    [
        "\\boxed{1}" * 5000,
        "\\boxed{" * 14_000,
        "$" * 100_000,
        "\\(" * 50_000,
        "answer is " * 20_000,
        "answer is" + "\n" * 100_000,
        "answer: " * 40_000,
        "####" + " " * 200_000 + "not",
        "$x$ or " * 40_000,
        "\\boxed{1}" + " - " * 60_000 + "x\\boxed{2}",
        "\n" * 200_000,
        "<think>" * 20_000,
        "\\boxed{1} " + "\\text{" * 20_000 + "\\boxed{2}",
        "\\boxed{1} " + "and " * 20_000 + "\\boxed{2}",
        "1" * 500_000,
        "1a" * 100_000,
        "1," * 100_000,
        "-" * 200_000,
        "\\boxed{" + "\\\\" * 100_000 + "}",
    ],
    ids=lambda response: f"{response[:12]!r} and so on",
)
def test_finding_the_answer_is_linear(response):
    """Quadratic time on these would take minutes, and nothing stops what runs in the caller's thread."""
    for mode in ("boxed", "flexible", "whole"):
        (verdict,) = rlvr.score([rlvr.Task("", "42")], [response], rlvr.Math(mode))
        assert verdict.reward == 0.0


def test_a_worker_keeps_its_memory_bounded():
    verifier = rlvr.Math()
    with rlvr.scoring.Pool(workers=1, memory_mb=512) as pool:
        for i in range(300):
            answer = f"\\boxed{{(x+{i})^{{{i}}} + \\sqrt{{{i}+y}}}}"
            pool.submit(verifier, rlvr.Task("", "x^2+y"), answer).result()
        (pid,) = pool._crew._workers
        status = Path(f"/proc/{pid}/status").read_text()
        resident = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    assert resident < 512


def test_no_text_reaches_an_evaluator():
    folder = Path(rlvr.verifiers.math.__file__).parent
    forbidden = {
        "eval",
        "exec",
        "compile",
        "sympify",
        "parse_expr",
        "parse_latex",
        "S",
        "__import__",
    }
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                on_re = (
                    isinstance(node.func, ast.Attribute)
                    and getattr(node.func.value, "id", "") == "re"
                )
                assert name not in forbidden or on_re, f"{path.name}:{node.lineno} calls {name}"


def test_code_is_not_run(tmp_path):
    target = tmp_path / "written"
    for code in (
        f"__import__('os').system('touch {target}')",
        f"open('{target}','w')",
        f"exec(\"open('{target}','w')\")",
        "\\input{/etc/passwd}",
    ):
        (verdict,) = rlvr.score([rlvr.Task("", "x")], [f"\\boxed{{{code}}}"], rlvr.Math())
        assert verdict.reward == 0.0
    assert not target.exists()


PAIRS = [("\\sqrt{12}", "\\boxed{2\\sqrt3}"), ("(x+1)^2", "\\boxed{x^2+2x+1}"), ("7", "\\boxed{8}"),
         ("x^2", "\\boxed{9^{9^{9^{9}}}}"), ("\\frac12", "\\boxed{0.5}")]  # fmt: skip


def verdicts(_=None):
    tasks = [rlvr.Task("", gold) for gold, _ in PAIRS]
    found = rlvr.score(tasks, [response for _, response in PAIRS], rlvr.Math())
    return [verdict.to_json() for verdict in found]


def test_same_verdicts_from_eight_threads():
    default_pool().start()
    expected = verdicts()
    with ThreadPoolExecutor(8) as threads:
        assert all(found == expected for found in threads.map(verdicts, range(32)))


def in_daemon(queue):
    queue.put((multiprocessing.current_process().daemon, verdicts()))
    rlvr.scoring.close()
    os._exit(0)


def test_same_verdicts_in_a_daemonic_process():
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=in_daemon, args=(queue,), daemon=True)
    process.start()
    daemonic, found = queue.get(timeout=300)
    process.join(timeout=300)
    assert daemonic
    assert found == verdicts()


# Found by a reviewer: recursion without end, and the larger of two complex numbers.
NO_VALUE = [
    ("\\{1\\pm\\sqrt5,-2\\}", "(\\{1\\pm\\sqrt{5},-2\\})+0 \\cdot 1"),
    ("\\{1\\pm\\sqrt5,2\\}", "-\\{1\\pm\\sqrt5,2\\}"),
    ("\\{1,2\\}", "\\{\\pm1,2\\}+0"),
    ("2", "\\{1\\pm\\sqrt5\\}-\\{2\\}"),
    ("\\pm3", "\\sqrt{\\{\\pm9\\}}"),
    ("1,2", "\\{x\\pm1,2\\}\\setminus\\{0\\}"),
    ("6+9i", "\\max(i,1)"),
    ("3+i", "\\min(3+i,4)"),
    ("6+9i", "\\max(6+9i, 6+9i)"),
    ("\\sqrt{2}", "\\lfloor i \\rfloor \\bmod 2"),
    ("x+i", "\\sqrt[i]{x}"),
    ("\\pi", "i \\bmod e"),
    ("0", "-(1 \\bmod i)"),
    ("x", "\\sin i \\bmod x"),
]


@pytest.mark.parametrize(("gold", "answer"), NO_VALUE)
def test_what_has_no_value_is_wrong_and_not_unscored(gold, answer):
    """An answer that makes its own verdict a fault would be masked, and never learnt from."""
    (verdict,) = rlvr.score([rlvr.Task("", gold)], [f"\\boxed{{{answer}}}"], rlvr.Math())
    assert isinstance(verdict, rlvr.Scored), verdict
    assert verdict.reward == 0.0
