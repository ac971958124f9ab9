"""Python programs do what `python3 main.py` does: the interpreter itself says what is right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rlvr.sandboxes import Input, Limits, Program, Sandbox
from rlvr.sandboxes.interpreter import base_python

FAST_IO = """
import os, sys
from io import BytesIO, IOBase
class FastIO(IOBase):
    newlines = 0
    def __init__(self, file):
        self._fd = file.fileno()
        self.buffer = BytesIO()
        self.writable = "x" in file.mode or "r" not in file.mode
        self.write = self.buffer.write if self.writable else None
    def read(self):
        while True:
            b = os.read(self._fd, max(os.fstat(self._fd).st_size, 8192))
            if not b: break
            ptr = self.buffer.tell()
            self.buffer.seek(0, 2), self.buffer.write(b), self.buffer.seek(ptr)
        return self.buffer.read()
    def flush(self):
        if self.writable: os.write(self._fd, self.buffer.getvalue())
out = FastIO(sys.stdout)
out.write(b"%d" % sum(map(int, FastIO(sys.stdin).read().split())))
out.flush()
"""
STREAMS = [
    FAST_IO,
    "import sys\nfor s in (sys.stdin, sys.stdout, sys.stderr, sys.__stdin__):\n    print(s, s.mode, s.name, s.errors, s.line_buffering, s.write_through)",
    "import sys\nfor s in (sys.stdin, sys.stdout, sys.stderr): print(s.buffer.mode, s.buffer.name, s.buffer.raw.mode, s.fileno())",
    "import sys\nprint(sys.stdin.detach().mode)",
    "print(sorted(globals()))",
    "print(__spec__, __package__, __doc__, __cached__, type(__loader__).__name__, __annotations__)",
    "print(help, exit, quit, type(copyright).__name__, license)\nprint(copyright, credits)",
    "help(len)",
    "import sys\nprint(sys.getrecursionlimit(), sys.get_int_max_str_digits(), sys.argv[1:])",
    "import threading\nprint(threading.stack_size())",
    "try: print(len(str(10 ** 5000)))\nexcept ValueError as error: print(error)",
]  # fmt: skip
ENDINGS = [
    "f = open(1, 'w')\nf.write('7')",
    "f = open(1, 'w')\nf.write('7')\nprint(6)",
    "f = open(1, 'wb')\nf.write(b'7')",
    "f = open(1, 'w', closefd=False)\nprint(7, file=f)",
    "import os\nf = os.fdopen(os.dup(1), 'w')\nf.write('7')",
    "f = open('/dev/stdout', 'w')\nf.write('7')\nimport sys\nsys.exit(3)",
    "import io\nf = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, 'w')))\nprint(7, file=f)",
    "import codecs\nf = codecs.getwriter('utf-8')(open(1, 'wb'))\nf.write('7')",
    "import sys\nsys.stdout = open('/dev/null', 'w')\nsys.__stdout__.write('7')",
    "import sys\nold = sys.stdout\nsys.stdout = None\nold.write('7')",
    "import io, sys\nreal, sys.stdout = sys.stdout, io.StringIO()\nprint(8)\nreal.write('7')",
    "import os, sys\nf = os.fdopen(os.dup(1), 'w')\nf.write('7')\nsys.stdout.close()",
    "f = [open(1, 'w')]\nf[0].write('7')",
    "class A:\n    def __init__(self): self.f = open(1, 'w')\na = A()\na.a = a\na.f.write('7')",
    "class A:\n    def __init__(self, n): self.n = n\n    def __del__(self): print(self.n)\na, b, _c = A(1), A(2), A(3)",
    "class A:\n    def __del__(self): print(7)\na = A()\na.a = a\nb = lambda: a",
    "def g():\n    try:\n        yield 1\n    finally:\n        print(7)\nx = g()\nnext(x)",
    "import sys\nclass W:\n    def __init__(s, f): s.f, s.b = f, []\n    def write(s, x): s.b.append(x)\n    def flush(s): s.f.write(''.join(s.b)); s.b = []\nsys.stdout = W(sys.stdout)\nprint(7)",
    "import weakref\nclass A: pass\na = A()\nweakref.finalize(a, print, 7)",
    "import atexit\nf = open(1, 'w')\nf.write('7')\natexit.register(print, 6)",
    "import threading\nf = open(1, 'w')\nthreading.Thread(target=lambda: f.write('7')).start()",
    "import os\nf = open(1, 'w')\nf.write('7')\nos._exit(0)",
    "import os\nf = open(1, 'w')\nif os.fork(): os.wait()\nelse: f.write('7')",
    "import logging.handlers, sys\nh = logging.handlers.MemoryHandler(9, target=logging.StreamHandler(sys.stdout))\nlogging.getLogger().addHandler(h)\nlogging.warning('7')",
    "def f():\n    g = open(1, 'w')\n    g.write('7')\n    raise SystemExit\nf()",
    "x = [[i] for i in range(10000)]\nimport gc\ngc.collect()\nclass A:\n    def __del__(self): print(7)\na = A()\na.a = a\ngc.collect()\nprint(6)",
]  # fmt: skip


@pytest.mark.parametrize("source", STREAMS + ENDINGS)
def test_a_program_prints_what_the_interpreter_prints(
    source: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "main.py").write_text(source)
    wanted = subprocess.run(
        [base_python(), "-s", "main.py"],
        cwd=tmp_path,
        input=b"2 5\n",
        capture_output=True,
        env={"LANG": "C.UTF-8"},
    )
    (done,) = sandbox.run(Program(source.encode()), [b"2 5\n"], Limits(wall_s=30)).executions
    assert (done.status, done.stdout) == (wanted.returncode, wanted.stdout)


def test_a_daemon_thread_does_not_keep_a_program_from_ending(sandbox: Sandbox) -> None:
    source = b"import threading\ndef spin():\n    while True: pass\nthreading.Thread(target=spin, daemon=True).start()\nx = [open(1, 'w')]\nx[0].write('78')\n"
    (done,) = sandbox.run(Program(source), [b""], Limits(wall_s=30, cpu_s=10)).executions
    assert (done.limit, done.status, done.stdout) == (None, 0, b"78")


@pytest.mark.parametrize("digits", [4300, 10_000])
def test_the_digits_of_integers_are_a_limit(sandbox: Sandbox, digits: int) -> None:
    source = (
        "import subprocess, sys\nprint(len(str(10 ** 9000)))\nsys.stdout.flush()\n"
        "subprocess.run([sys.executable, '-c', 'print(len(str(10 ** 9000)))'])"
    )
    limits = Limits(wall_s=30, int_digits=digits)
    (done,) = sandbox.run(Program(source.encode()), [Input()], limits).executions
    assert done.stdout == (b"9001\n9001\n" if digits > 9000 else b"")


# Python 3.12 and 3.13 have a fixed limit of their own on recursion through C.
_DEPTH = 50_000 if sys.version_info < (3, 12) else 400
DEEP = {
    "python": f"import sys\nfrom functools import cache\nsys.setrecursionlimit(10**6)\n@cache\ndef f(n): return 0 if n == 0 else 1 + f(n - 1)\nprint(f({_DEPTH}))\n",
    "cpp": "#include <iostream>\nint f(int n) { volatile char b[64] = {0}; return n == 0 ? b[0] : 1 + f(n - 1) + b[1]; }\nint main() { int a[2500000]; a[f(400000)] = 7; std::cout << f(400000) + a[400000] << std::endl; }\n",
    "javascript": "function f(n) { return n === 0 ? 0 : 1 + f(n - 1) }\nconsole.log(f(50000))\n",
}


_SMALL_STACK = ("bash", "-c", 'ulimit -S -s 2048 && exec "$@"', "-")


@pytest.mark.sweep(gate=1)
@pytest.mark.parametrize("name", DEEP)
def test_the_stack_is_not_the_callers(name: str) -> None:
    """A caller's `ulimit -s` isn't a program's; its threads have a usual stack all the same."""
    code = (
        "import sys\nfrom rlvr.sandboxes import Limits, Program, Sandbox\n"
        "with Sandbox('bubblewrap', jails=1) as sandbox:\n"
        "    program = Program(sys.argv[1].encode(), sys.argv[2])\n"
        "    print(sandbox.run(program, [b''], Limits(wall_s=60, cpu_s=20, compile_s=90)).executions)"
    )
    done = subprocess.run(
        [*_SMALL_STACK, sys.executable, "-c", code, DEEP[name], name],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "status=0" in done.stdout, done.stdout
