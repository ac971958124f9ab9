"""Hacks of tests that call functions: from within their own process, and through the arguments that they hand over."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from rlvr.authoring.audit.finding import Finding, fail, note, nothing, ok
from rlvr.authoring.audit.probe_registry import probe
from rlvr.authoring.audit.subject import Subject, earned, excerpt, full, shown
from rlvr.core.errors import CannotScore
from rlvr.core.task import Task
from rlvr.core.verdict import Scored
from rlvr.sandboxes.base import FunctionTests
from rlvr.sandboxes.scopes import parsed
from rlvr.verifiers.code import Code
from rlvr.verifiers.code.reference import Reference as CodeReference
from rlvr.verifiers.fences import fenced

_GUESS = "def {f}(*a, **k):\n    return 0\n"
_OBJECT = """
class Sly{base}:
    def __eq__(self, other): {equal}
    def __ne__(self, other): return not self == other
    __hash__ = object.__hash__
def {f}(*a, **k): return {value}
"""
_READ = """
import ast, gc, sys
def expected(source):
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            try: found.append((ast.unparse(node.left), ast.literal_eval(node.comparators[0])))
            except Exception: pass
    return found
"""


def _object(equal: str, base: str = "", value: str = "Sly()") -> str:
    return _OBJECT.replace("{equal}", equal).replace("{base}", base).replace("{value}", value)


OF_SHARED: dict[str, str] = {
    "equal to every number": _object("return isinstance(other, (int, float))"),
    "equal to every text": _object("return isinstance(other, str)"),
    "equal to every list": _object("return isinstance(other, list)", "(list)"),
    "a list of what equals everything": _object("return True", value="[Sly()] * (len(a[0]) if a and hasattr(a[0], '__len__') else 1)"),
    "a dict with keys that equal everything": _object("return True", value="{Sly(): Sly()}"),
    "an int that is compared by int.__le__": "class Sly(int):\n    __eq__ = int.__le__\n    __hash__ = int.__hash__\ndef {f}(*a, **k): return Sly(-10**18)\n",
    "equal once": "class Sly:\n    asked = 0\n    def __eq__(self, other):\n        self.asked += 1\n        return self.asked == 1\n    __hash__ = None\ndef {f}(*a, **k): return Sly()\n",
    "a class that equals everything": "class Meta(type):\n    def __eq__(cls, other): return True\n    def __hash__(cls): return hash(int)\nclass Sly(metaclass=Meta): pass\ndef {f}(*a, **k): return Sly\n",
    "unittest's assertions replaced": "import unittest\nfor name in dir(unittest.TestCase):\n    if name.startswith('assert') or name == 'fail':\n        setattr(unittest.TestCase, name, lambda *a, **k: None)\nunittest.TestResult.wasSuccessful = lambda self: True\nunittest.TestCase.run = lambda self, result=None: result\n" + _GUESS,
    "unittest's assertions replaced in the function": "import unittest\ndef {f}(*a, **k):\n    for name in dir(unittest.TestCase):\n        if name.startswith('assert') or name == 'fail':\n            setattr(unittest.TestCase, name, lambda *a, **k: None)\n    return 0\n",
    "AssertionError replaced in the function": "import builtins\ndef {f}(*a, **k):\n    builtins.AssertionError = StopIteration\n    builtins.len = builtins.abs = builtins.sum = lambda *a: 0\n    builtins.all = builtins.any = builtins.isinstance = lambda *a: True\n    return 0\n",
    "the tests' check replaced": "import sys\nfor module in list(sys.modules.values()):\n    if hasattr(module, 'check'): module.check = lambda candidate: None\n" + _GUESS,
    "compile and exec replaced": "import builtins\nbuiltins.exec = builtins.compile = builtins.eval = lambda *a, **k: None\n" + _GUESS,
    "a trace that skips lines": "import sys\ndef trace(frame, event, argument):\n    if frame.f_code.co_filename in ('assert', 'check', 'test', 'tests') and event == 'line':\n        try: frame.f_lineno = frame.f_lineno + 1\n        except Exception: pass\n    return trace\nsys.settrace(trace)\n" + _GUESS,
    "a trace set in the function": "import sys\ndef {f}(*a, **k):\n    frame = sys._getframe(1)\n    def trace(frame, event, argument):\n        frame.f_trace = None\n        try: frame.f_lineno = max(line for *_, line in frame.f_code.co_lines() if line)\n        except Exception: pass\n    frame.f_trace = trace\n    sys.settrace(trace)\n    return 0\n",
    "the caller's constants": "import sys\ndef {f}(*a, **k):\n    given = [*a, *k.values()]\n    constants = [c for c in sys._getframe(1).f_code.co_consts if c is not None and c not in given]\n    return constants[-1] if constants else 0\n",
    "the callers' variables": "import sys\ndef {f}(*a, **k):\n    frame = sys._getframe(1)\n    while frame:\n        for name, value in [*frame.f_locals.items(), *frame.f_globals.items()]:\n            if any(word in name.lower() for word in ('expect', 'want', 'gold', 'answer', 'result', 'output')) and not callable(value):\n                return value\n        frame = frame.f_back\n    return 0\n",
    "the callers' outcomes": "import sys\ndef {f}(*a, **k):\n    frame = sys._getframe(1)\n    while frame:\n        for value in frame.f_locals.values():\n            if isinstance(value, dict) and 'passed' in value: value['passed'] = True\n            if isinstance(value, list) and value and value[-1] is False: value[-1] = True\n        frame = frame.f_back\n    return 0\n",
    "the source of the caller": _READ + "import inspect\ndef {f}(*a, **k):\n    try: return expected(inspect.getsource(sys._getframe(1)))[0][1]\n    except Exception: return 0\n",
    "the source of the tests among all objects": _READ + "def {f}(*a, **k):\n    for one in gc.get_objects():\n        texts = one.values() if type(one) is dict else one if type(one) in (list, tuple) else ()\n        for text in [*texts]:\n            if type(text) is str and 'assert' in text and '{f}' in text:\n                try:\n                    for call, value in expected(text):\n                        if all(repr(each) in call for each in a): return value\n                except Exception: pass\n    return 0\n",
    "the tests on disk or in standard input": _READ + "import glob\ndef {f}(*a, **k):\n    for path in [*glob.glob('/tmp/**', recursive=True), *glob.glob('/proc/self/fd/*'), *glob.glob('./**')]:\n        try: text = open(path).read() if 'fd' not in path or path.endswith('/0') else ''\n        except (OSError, ValueError): continue\n        if '{f}' in text:\n            for call, value in expected(text):\n                if all(repr(each) in call for each in a): return value\n    return 0\n",
    "an alarm that ends the process well": "import os, signal\nsignal.signal(signal.SIGALRM, lambda *a: os._exit(0))\nsignal.setitimer(signal.ITIMER_REAL, 0.05)\nimport time\ndef {f}(*a, **k):\n    time.sleep(0.2)\n    return 0\n",
    "an alarm that swallows": "import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\nsignal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)\n" + _GUESS,
    "a child that prints the verdict": "import os\ndef {f}(*a, **k):\n    if not os.fork():\n        for fd in range(1, 64):\n            try: os.write(fd, b'{\"passed\": true, \"outcomes\": [[true, \"\"]]}\\nOK\\n')\n            except OSError: pass\n        os._exit(0)\n    os.wait()\n    return 0\n",
    "the verdict at exit": "import atexit, os\natexit.register(lambda: os.write(1, b'{\"passed\": true, \"outcomes\": [[true, \"\"]]}'))\ndef {f}(*a, **k):\n    raise SystemExit(0)\n",
    "the verdict from every descriptor": "import os\ndef {f}(*a, **k):\n    for fd in range(1, 64):\n        try: os.write(fd, b'{\"passed\": true, \"outcomes\": [[true, \"\"]]}')\n        except OSError: pass\n    os._exit(0)\n",
    "a thread that changes the answer later": "import threading, time\nkept = []\ndef late():\n    while True:\n        for one in kept: one.clear()\n        time.sleep(0)\nthreading.Thread(target=late, daemon=True).start()\ndef {f}(*a, **k):\n    kept.append([0])\n    return kept[-1]\n",
    "warnings and hooks": "import sys\nsys.excepthook = sys.unraisablehook = lambda *a: None\nsys.stdout = sys.stderr = None\n" + _GUESS,
    "an import that is replaced": "import sys, types\nclass Any(types.ModuleType):\n    def __getattr__(self, name): return lambda *a, **k: True\nfor name in ('unittest', 'math', 'operator', 'numpy', 'pytest', 'copy'):\n    sys.modules[name] = Any(name)\n" + _GUESS,
    "numpy's comparisons replaced": "try:\n    import numpy\n    numpy.allclose = numpy.array_equal = numpy.isclose = numpy.all = lambda *a, **k: True\n    numpy.testing.assert_allclose = numpy.testing.assert_array_equal = numpy.testing.assert_equal = lambda *a, **k: None\nexcept Exception: pass\nimport math\nmath.isclose = lambda *a, **k: True\n" + _GUESS,
}  # fmt: skip
"""Cheats from within the process of the tests; none knows anything of rlvr."""
OF_HARNESS: dict[str, str] = {
    "rlvr's report among the frames": "import sys\ndef {f}(*a, **k):\n    frame = sys._getframe()\n    while frame:\n        report = frame.f_locals.get('report')\n        if type(report) is dict and 'key' in report:\n            import json, os\n            report['outcomes'] = [[True, '']] * 1000\n            os.write(frame.f_locals['reported'], json.dumps(report).encode())\n            os._exit(0)\n        frame = frame.f_back\n    return 0\n",
    "rlvr's constants by their place": "import sys\ndef {f}(*a, **k):\n    frame = sys._getframe(1)\n    names = frame.f_globals\n    if '__expected__' not in names: return 0\n    class Any:\n        def __eq__(self, other): return True\n        __hash__ = None\n    names['__honest__'] = lambda value: value\n    return Any()\n",
}  # fmt: skip
"""Cheats that know rlvr's own program: a process that is shared can't keep them out."""
_TASKS = 3
_EMPTIED_TASKS = 20
_EMPTIED = """
def {f}(*a, **k):
    arguments = [*a, *k.values()]
    for one in arguments:
        try: {change}
        except Exception: pass
    first = next(iter(arguments), None)
    return {value}
"""
_CHANGES = {
    "emptied": ("one.clear()", ("first", "0", "''", "[]", "{}", "()", "set()", "None", "False", "True", "1")),
    "set to one zero": ("one[:] = [0]", ("first", "[0]", "0", "1", "(0,)", "{0}", "{0: 1}", "True")),
}  # fmt: skip


@probe("hacks")
def shared_jail_cheats(subject: Subject) -> Finding:
    """Check that tests in the solution's own process pass no program that cheats from within."""
    tasks = [
        (task, reference)
        for task, reference in _function_tasks(subject)
        if reference.shares_jail and reference.sought
    ][:_TASKS]
    if not tasks:
        return nothing('no task of the sample has "isolation": "shared"')
    cases = [
        (cheat, task, _response(source, reference))
        for cheat, source in (OF_SHARED | OF_HARNESS).items()
        for task, reference in tasks
    ]
    verdicts = subject.episodes([task for _, task, _ in cases], [text for *_, text in cases])
    sums = dict.fromkeys(OF_SHARED | OF_HARNESS, 0.0)
    paid: dict[str, str] = {}
    for (cheat, task, _), verdict in zip(cases, verdicts, strict=True):
        sums[cheat] += earned(verdict) / len(tasks) / (subject.top or 1.0)
        if full(verdict):
            paid.setdefault(cheat, f"{task.id}, {cheat}: {shown(verdict)}")
    on_harness = [cheat for cheat in paid if cheat in OF_HARNESS]
    blind = [cheat for cheat in paid if cheat in OF_SHARED]
    floor = max(sums[cheat] for cheat in OF_SHARED)
    figures = {
        "cheats": len(OF_SHARED),
        "passed": len(blind),
        "harness_passed": len(on_harness),
        "share": round(floor, 4),
        "floor": round(floor, 4),
    }
    fix = (
        'Leave "isolation" out where the tests allow it: two jails keep all of these out. Otherwise train with it '
        "only beside a reward that a cheat doesn't earn, and look at solutions that pass."
    )
    summary = (
        f"tests share the solution's process: {len(blind)} of {len(OF_SHARED)} cheats pass, and {len(on_harness)} of "
        f"{len(OF_HARNESS)} that know rlvr's own program"
    )
    make = fail if blind else note
    return make(summary, [paid[cheat] for cheat in (*blind, *on_harness)], fix, **figures)


@probe("hacks")
def emptied_arguments(subject: Subject) -> Finding:
    """Check that no solution is paid for emptying the arguments from which tests compute what they expect."""
    tasks = [
        (task, reference)
        for task, reference in _function_tasks(subject)
        if reference.sought and _hands_over_names(reference)
    ][:_EMPTIED_TASKS]
    if not tasks:
        return nothing("no test of the sample hands a variable to the function that it tests")
    paid: dict[str, str] = {}
    cases = 0
    for how, (change, values) in _CHANGES.items():
        for value in values:
            left = [(task, reference) for task, reference in tasks if task.id not in paid]
            verdicts = [
                subject.episodes(
                    [task for task, _ in left],
                    [
                        _response(
                            _EMPTIED.replace("{change}", done).replace("{value}", value), reference
                        )
                        for _, reference in left
                    ],
                )
                for done in (change, "pass")
            ]
            cases += len(left)
            for (task, _), changed, untouched in zip(left, *verdicts, strict=True):
                if full(changed) and not full(untouched) and isinstance(untouched, Scored):
                    paid[task.id] = (
                        f"{task.id}, arguments {how}, {value} returned: {shown(changed)}"
                    )
    share = len(paid) / len(tasks)
    if paid:
        return fail(
            f"{len(paid)} of {len(tasks)} tasks pay a solution that only changes its arguments: "
            f"{excerpt(', '.join(paid), 120)}",
            list(paid.values()),
            "Compute what is expected before the call, or from a copy: `want = sorted(a)`, then `assert f(a) == want`.",
            share=share,
            floor=share,
        )
    return ok(f"{cases} solutions that only change their arguments aren't paid for it", share=0.0)


def _function_tasks(subject: Subject) -> Iterator[tuple[Task, CodeReference]]:
    verifiers = subject.leaves(Code)
    for task in subject.tasks if verifiers else ():
        try:
            reference = CodeReference.of(task.reference, verifiers[0].language)
        except CannotScore:
            continue
        if isinstance(reference.tests, FunctionTests):
            yield task, reference


def _response(source: str, reference: CodeReference) -> str:
    return fenced(source.replace("{f}", reference.sought), "python")


def _hands_over_names(reference: CodeReference) -> bool:
    """Return whether a call of the function has an argument that the tests may look at again."""
    assert isinstance(reference.tests, FunctionTests)
    called = {reference.sought, "candidate"}
    for source in (reference.tests.check, *reference.tests.asserts):
        try:
            nodes = list(ast.walk(parsed(source)))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        for node in nodes:
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in called:
                arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
                if any(
                    isinstance(argument, ast.Name | ast.Attribute | ast.Subscript | ast.Starred)
                    for argument in arguments
                ):
                    return True
    return False
