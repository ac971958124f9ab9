"""Programs in every language: what they get, what comes back, and what each limit does."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest

from rlvr.core.errors import OptionError, SandboxError
from rlvr.sandboxes import Execution, Input, Limit, Limits, Program, Sandbox
from rlvr.sandboxes.languages import LANGUAGES, language_of

ROOMY = Limits(wall_s=10, cpu_s=8, memory_mb=768, compile_s=60)
IN_CI = {"python", "cpp", "javascript", "rust"}

# Reads two numbers, prints their sum; ends with the status that the first argument says.
SUM = {
    "python": "import sys\na, b = map(int, input().split())\nprint(a + b)\nsys.exit(int((sys.argv + ['0'])[1]))\n",
    "c": '#include <stdio.h>\n#include <stdlib.h>\nint main(int c, char **v) { long a, b; if (scanf("%ld %ld", &a, &b) != 2) return 9; printf("%ld\\n", a + b); return c > 1 ? atoi(v[1]) : 0; }\n',
    "cpp": "#include <bits/stdc++.h>\nint main(int c, char **v) { long a, b; std::cin >> a >> b; std::cout << a + b << std::endl; return c > 1 ? std::stoi(v[1]) : 0; }\n",
    "rust": 'use std::io::Read;\nfn main() { let mut s = String::new(); std::io::stdin().read_to_string(&mut s).unwrap(); let t: i64 = s.split_whitespace().map(|x| x.parse::<i64>().unwrap()).sum(); println!("{}", t); std::process::exit(std::env::args().nth(1).map_or(0, |x| x.parse().unwrap())); }\n',
    "go": 'package main\nimport ("fmt"; "os"; "strconv")\nfunc main() { var a, b int; fmt.Scan(&a, &b); fmt.Println(a + b); if len(os.Args) > 1 { n, _ := strconv.Atoi(os.Args[1]); os.Exit(n) } }\n',
    "java": "import java.util.*;\npublic class Main { public static void main(String[] v) { Scanner s = new Scanner(System.in); System.out.println(s.nextLong() + s.nextLong()); System.exit(v.length > 0 ? Integer.parseInt(v[0]) : 0); } }\n",
    "javascript": "const [a, b] = require('fs').readFileSync(0, 'utf8').split(/\\s+/).map(Number);\nconsole.log(a + b);\nprocess.exitCode = Number(process.argv[2] || 0);\n",
    "bash": 'read a b\necho $((a + b))\nexit "${1:-0}"\n',
}
WRONG = {
    "python": ("def f(:\n", "SyntaxError"),
    "c": ("int main() { return x; }\n", "undeclared"),
    "cpp": ("int main() { return x; }\n", "not declared"),
    "rust": ("fn main() { x }\n", "cannot find value"),
    "go": ("package main\nfunc main() { x }\n", "undefined"),
    "java": ("public class Main { int f() { return x; } }\n", "cannot find symbol"),
    "javascript": ("function (\n", "SyntaxError"),
    "bash": ("if true\n", "syntax error"),
}


@pytest.fixture(params=list(LANGUAGES))
def language(request: pytest.FixtureRequest, sandbox: Sandbox) -> str:
    """Each language that this machine has. Four of them are there in CI."""
    name: str = request.param
    try:
        sandbox.run(Program(b"", name), [])
    except SandboxError as error:
        if os.environ.get("CI") and name in IN_CI:
            pytest.fail(str(error))
        pytest.skip(str(error))
    return name


def run(sandbox: Sandbox, source: str, given: Input | bytes = b"", **more: Any) -> Execution:
    language, limits = more.pop("language", "python"), more.pop("limits", ROOMY)
    result = sandbox.run(Program(source.encode(), language, **more), [given], limits)
    assert result.compile_error is None, result.compile_error
    (execution,) = result.executions
    return execution


def out(sandbox: Sandbox, source: str, given: Input | bytes = b"", **more: Any) -> bytes:
    execution = run(sandbox, source, given, **more)
    assert (execution.status, execution.limit, execution.stderr) == (0, None, b"")
    return execution.stdout


# ---------------------------------------------------------------- every language


def test_compiled_once_and_run_on_many_inputs(sandbox: Sandbox, language: str) -> None:
    inputs = [Input(f"{n} {n * n}\n".encode(), args=(str(n),)) for n in (0, 3, 7)]
    result = sandbox.run(Program(SUM[language].encode(), language), inputs, ROOMY)
    assert result.compile_error is None
    assert [one.stdout for one in result.executions] == [b"0\n", b"12\n", b"56\n"]
    assert [one.status for one in result.executions] == [0, 3, 7]
    assert [one.ok for one in result.executions] == [True, False, False]
    assert all(one.signal is one.limit is None for one in result.executions)


@pytest.mark.sweep(gate=2)
def test_what_does_not_compile_says_why(sandbox: Sandbox, language: str) -> None:
    source, message = WRONG[language]
    result = sandbox.run(Program(source.encode(), language), [b"1 2", b"3 4"], ROOMY)
    assert result.executions == ()
    assert result.compile_error is not None
    assert message in result.compile_error
    assert "runner" not in result.compile_error  # nothing of what is none of the program's business


@pytest.mark.sweep(gate=2)
def test_it_ends_where_proceed_says_no(sandbox: Sandbox, language: str) -> None:
    seen: list[tuple[int, bytes]] = []

    def proceed(number: int, execution: Execution) -> bool:
        seen.append((number, execution.stdout))
        return number < 1

    result = sandbox.run(Program(SUM[language].encode(), language), [b"1 2"] * 5, ROOMY, proceed)
    assert len(result.executions) == 2
    assert seen == [(0, b"3\n"), (1, b"3\n")]


@pytest.mark.sweep(gate=2)
def test_runtimes_stay_within_the_memory_that_programs_get(sandbox: Sandbox, language: str) -> None:
    """Nothing is taken for a program's that its runtime needs to start."""
    execution = run(sandbox, SUM[language], b"1 2", language=language, limits=Limits(compile_s=60))
    assert (execution.stdout, execution.limit) == (b"3\n", None)
    assert 0 < execution.memory_mb < 200


ALLOCATES = {
    "c": "#include <stdlib.h>\n#include <unistd.h>\nint main() { for (;;) { volatile char *p = malloc(1 << 20); if (!p) return 3; for (int i = 0; i < 1 << 20; i += 512) p[i] = 1; } }\n",
    "javascript": "const all = []; for (;;) all.push(new Array(100000).fill(all.length));\n",
    "java": "import java.util.*;\npublic class Main { public static void main(String[] v) { List<int[]> all = new ArrayList<>(); for (;;) all.add(new int[100000]); } }\n",
    "rust": "fn main() { let mut all: Vec<Vec<u8>> = Vec::new(); loop { all.push(vec![1; 1 << 20]); } }\n",
    "python": "all_ = []\nwhile True: all_.append([0] * 100000)\n",
}


@pytest.mark.sweep(gate=2)
def test_a_program_that_takes_ever_more_memory_ends(sandbox: Sandbox, language: str) -> None:
    if language not in ALLOCATES:
        pytest.skip("it's said of the others")
    limits = Limits(wall_s=20, cpu_s=15, memory_mb=256, compile_s=60)
    execution = run(sandbox, ALLOCATES[language], language=language, limits=limits)
    assert not execution.ok
    assert execution.limit in (Limit.MEMORY, None)  # None: its own runtime gave up first
    assert execution.memory_mb < 600


# ---------------------------------------------------------------- Python, as `python3 main.py` would

AS_PYTHON = {
    "input and print": ("print(input('? ') + '!')", b"? a!\n"),
    "main": ("if __name__ == '__main__': print('main')", b"main\n"),
    "its file": ("import os\nprint(os.path.basename(__file__), os.path.exists(__file__))", b"main.py True\n"),
    "its arguments": ("import sys\nprint(sys.argv[1:], os.path.basename(sys.argv[0])) if 0 else print(len(sys.argv))", b"1\n"),
    "exit()": ("print(1)\nexit()\nprint(2)", b"1\n"),
    "quit(0)": ("print(1)\nquit(0)", b"1\n"),
    "sys.exit(None)": ("import sys\nprint(1, end='')\nsys.exit()", b"1"),
    "end of input": ("try:\n    while True: print(input())\nexcept EOFError: print('end')", b"a\nend\n"),
    "lines of stdin": ("import sys\nprint([line for line in sys.stdin])", b"['a\\n']\n"),
    "bytes of stdin": ("import sys\nprint(sys.stdin.buffer.read(), sys.stdin.fileno())", b"b'a\\n' 0\n"),
    "descriptor 0": ("import os\nprint(os.read(0, 9), os.read(0, 9))", b"b'a\\n' b''\n"),
    "open(0)": ("print(open(0).read())", b"a\n\n"),
    "/dev/stdin": ("print(open('/dev/stdin').read())", b"a\n\n"),
    "descriptor 1": ("import os\nprint(1, flush=True)\nos.write(1, b'2')", b"1\n2"),
    "threads": ("import threading\nts = [threading.Thread(target=print, args=[i]) for i in range(3)]\nfor t in ts: t.start(); t.join()", b"0\n1\n2\n"),
    "a thread that's not waited for": ("import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.1), print('late'))).start()", b"late\n"),
    "a thread in place of the main one": ("import sys, threading\nsys.setrecursionlimit(10 ** 6)\nthreading.stack_size(1 << 27)\ndef depth(n): return n and 1 + depth(n - 1)\nt = threading.Thread(target=lambda: print(depth(50000)))\nt.start(); t.join()", b"50000\n"),
    "a pool of threads": ("from concurrent.futures import ThreadPoolExecutor as P\nwith P(4) as p: print(sum(p.map(abs, range(-3, 3))))", b"9\n"),
    "multiprocessing": ("import multiprocessing as m\ndef f(x): return x * x\nif __name__ == '__main__':\n    with m.Pool(2) as p: print(p.map(f, range(4)))", b"[0, 1, 4, 9]\n"),
    "a queue between processes": ("import multiprocessing as m\ndef f(q): q.put(5)\nif __name__ == '__main__':\n    q = m.Queue()\n    p = m.Process(target=f, args=[q]); p.start(); print(q.get()); p.join()", b"5\n"),
    "a pool of processes": ("from concurrent.futures import ProcessPoolExecutor as P\nif __name__ == '__main__':\n    with P(2) as p: print(list(p.map(abs, [-1, 2])))", b"[1, 2]\n"),
    "subprocess": ("import subprocess, sys\nprint(subprocess.run(['cat'], input=b'x', capture_output=True).stdout)\nprint(subprocess.check_output([sys.executable, '-c', 'print(6)']))", b"b'x'\nb'6\\n'\n"),
    "asyncio": ("import asyncio\nasync def f(x):\n    await asyncio.sleep(0.01)\n    return x\nasync def main(): print(await asyncio.gather(f(1), f(2)))\nasyncio.run(main())", b"[1, 2]\n"),
    "dataclasses": ("from dataclasses import dataclass\nimport pickle\n@dataclass(order=True)\nclass A:\n    x: int\nprint(sorted([A(2), A(1)]), pickle.loads(pickle.dumps(A(3))))", b"[A(x=1), A(x=2)] A(x=3)\n"),
    "typing and annotations": ("from __future__ import annotations\nimport typing\ndef f(x: Nothing) -> int: return 1\nclass C:\n    def g(self, y: int): ...\nprint(f(1), typing.get_type_hints(C.g))", b"1 {'y': <class 'int'>}\n"),
    "no annotations of the runner's": ("def f(x: int): ...\nprint(f.__annotations__)", b"{'x': <class 'int'>}\n"),
    "its own module": ("import sys\nx = 1\nprint(sys.modules['__main__'].x, __name__, __spec__)", b"1 __main__ None\n"),
    "exit handlers": ("import atexit\natexit.register(print, 'bye')\nprint('hi')", b"hi\nbye\n"),
    "files": ("with open('a', 'w') as f: f.write('ü')\nprint(open('a', 'rb').read(), open('/tmp/a').read() == 'ü')", b"b'\\xc3\\xbc' True\n"),
    "temporary files": ("import tempfile, os\nwith tempfile.TemporaryDirectory() as t: open(t + '/x', 'w').close(); print(os.listdir(t))", b"['x']\n"),
    "the time": ("import time, datetime\nprint(datetime.date.today().year >= 2024, time.time() > 1.7e9, time.perf_counter() >= 0)", b"True True True\n"),
    "randomness": ("import os, random, secrets, uuid\nprint(len(os.urandom(8)), len(secrets.token_bytes(4)), random.random() < 1, len({uuid.uuid4() for _ in range(9)}))", b"8 4 True 9\n"),
    "recursion": ("import sys\ndef f(n): return n and 1 + f(n - 1)\nprint(f(900), sys.getrecursionlimit())", b"900 1000\n"),
    "signals": ("import signal\nsignal.signal(signal.SIGALRM, lambda *a: print('alarm'))\nsignal.setitimer(signal.ITIMER_REAL, 0.05)\nsignal.pause()", b"alarm\n"),
    "encodings": ("import sys, locale\nprint('ü', sys.stdout.encoding, sys.getfilesystemencoding())", "ü utf-8 utf-8\n".encode()),
    "a module with the name of the runner's": ("import importlib.util\nprint([importlib.util.find_spec(n) is None for n in ('testing', 'values', 'peer')])", b"[True, True, True]\n"),
    "eval and exec": ("exec('x = 5'); print(eval('x + 1'), compile('1', '', 'eval'))if 0 else print(eval('1 + 1'))", b"2\n"),
    "doctest": ("def f():\n    '''\n    >>> f()\n    1\n    '''\n    return 1\nimport doctest\nprint(doctest.testmod())", b"TestResults(failed=0, attempted=1)\n"),
    "unittest": ("import unittest\nclass T(unittest.TestCase):\n    def test(self): self.assertEqual(1, 1)\nr = unittest.main(exit=False, argv=['x'], verbosity=0) if 0 else unittest.TextTestRunner(stream=open('/dev/null', 'w')).run(unittest.defaultTestLoader.loadTestsFromTestCase(T))\nprint(r.wasSuccessful())", b"True\n"),
}  # fmt: skip


@pytest.mark.parametrize("what", AS_PYTHON)
def test_python_is_as_it_always_is(sandbox: Sandbox, what: str) -> None:
    source, wanted = AS_PYTHON[what]
    assert out(sandbox, source, b"a\n", limits=Limits(wall_s=10, memory_mb=768)) == wanted


ENDINGS = {
    "exit(3)": ("exit(3)", 3, b""),
    "sys.exit(text)": ("import sys\nsys.exit('bye')", 1, b"bye\n"),
    "sys.exit(True)": ("import sys\nsys.exit(True)", 1, b""),
    "sys.exit(256)": ("import sys\nsys.exit(256 + 7)", 7, b""),
    "sys.exit(-1)": ("import sys\nsys.exit(-1)", 255, b""),
    "SystemExit in a thread": ("import threading, sys\nt = threading.Thread(target=sys.exit, args=[4]); t.start(); t.join()", 0, b""),
    "raise": ("raise ValueError('x')", 1, b'Traceback (most recent call last):\n  File "/box/main.py", line 1, in <module>\n    raise ValueError(\'x\')\nValueError: x\n'),
    "assert": ("assert 1 == 2, 'no'", 1, None),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", None, None),
    "stdout is closed": ("import sys\nprint(1)\nsys.stdout.close()", 0, b""),
}  # fmt: skip


@pytest.mark.parametrize("how", ENDINGS)
def test_exit_statuses_are_the_interpreters(sandbox: Sandbox, how: str) -> None:
    source, status, stderr = ENDINGS[how]
    execution = run(sandbox, source)
    if status is not None:
        assert execution.status == status
    assert execution.ok == (status == 0)
    if stderr is not None:
        assert execution.stderr == stderr
    assert b"runner" not in execution.stderr


def test_the_hash_of_texts_is_alike_in_every_jail(bubblewrap: Any) -> None:
    """A program that depends on the order of a set is judged alike, whichever jail it gets."""
    found = set()
    for _ in range(2):
        with Sandbox(bubblewrap, jails=1) as sandbox:
            found.add(out(sandbox, "print(hash('a'), list({'a', 'b', 'c'}))"))
    assert len(found) == 1


# ---------------------------------------------------------------- what goes in and comes out


@pytest.mark.parametrize(
    "stdin",
    [
        b"",
        b"\0",
        bytes(range(256)) * 300,
        b"no newline",
        b"\r\n",
        b"\n" * 100_000,
        b"x" * (16 << 20),
    ],
)
def test_standard_input_arrives_byte_for_byte(sandbox: Sandbox, stdin: bytes) -> None:
    source = "import sys, hashlib\nd = sys.stdin.buffer.read()\nprint(len(d), hashlib.sha256(d).hexdigest())"
    import hashlib

    assert (
        out(sandbox, source, stdin)
        == f"{len(stdin)} {hashlib.sha256(stdin).hexdigest()}\n".encode()
    )


def test_input_that_is_not_utf8_can_be_read_as_text(sandbox: Sandbox) -> None:
    assert out(sandbox, "print(ascii(input()))", b"\xff\xfe\n") == b"'\\udcff\\udcfe'\n"


def test_large_output_comes_back_whole(sandbox: Sandbox) -> None:
    execution = run(
        sandbox, "import sys\nsys.stdout.write('x' * (4 << 20)); sys.stderr.write('y' * (4 << 20))"
    )
    assert execution.ok
    assert (execution.stdout, execution.stderr) == (b"x" * (4 << 20), b"y" * (4 << 20))


def test_arguments(sandbox: Sandbox) -> None:
    args = ("a b", "", "ü", "'\"$(x)`", "-x", "\n", "\udcff")
    given = Input(args=args)
    source = "import os, sys\nprint([os.fsencode(a) for a in sys.argv[1:]])"
    assert out(sandbox, source, given) == f"{[os.fsencode(a) for a in args]}\n".encode()
    assert out(sandbox, 'printf "%s|" "$@"', given, language="bash") == b"".join(
        os.fsencode(a) + b"|" for a in args
    )


def test_files_go_in_and_come_out(sandbox: Sandbox) -> None:
    given = Input(
        files={"in.txt": b"\xff\0", "ü ?": b"2"}, collect=("out", "in.txt", "missing", "empty")
    )
    source = "import os\nprint(sorted(os.listdir()))\nopen('out', 'wb').write(open('in.txt', 'rb').read() * 2)\nopen('empty', 'w').close()\nopen('in.txt', 'ab').write(b'!')"
    execution = run(sandbox, source, given)
    assert execution.stdout == "['in.txt', 'ü ?']\n".encode()
    assert execution.files == {"out": b"\xff\0\xff\0", "in.txt": b"\xff\0!", "empty": b""}


def test_each_input_finds_its_own_files_alone(sandbox: Sandbox) -> None:
    inputs = [Input(files={name: b""}) for name in ("a", "b")]
    program = Program(b"import os\nprint(os.listdir())\nopen('left', 'w').close()\nos.mkdir('d')")
    executions = sandbox.run(program, inputs).executions
    assert [one.stdout for one in executions] == [b"['a']\n", b"['b']\n"]


def test_several_source_files(sandbox: Sandbox) -> None:
    assert (
        out(
            sandbox,
            "import helper\nprint(helper.f(), open('/box/data').read())",
            files={"helper.py": b"def f(): return 5", "data": b"d"},
        )
        == b"5 d\n"
    )
    assert (
        out(
            sandbox,
            '#include "h.h"\n#include <stdio.h>\nint main() { printf("%d", N); }',
            language="c",
            files={"h.h": b"#define N 6\n"},
        )
        == b"6"
    )


@pytest.mark.parametrize("given", [
    Input(files={"a/b": b""}), Input(files={"..": b""}), Input(files={"": b""}), Input(files={"a\0": b""}),
    Input(files={"x" * 256: b""}), Input(files={"\ud800": b""}), Input(collect=("/etc/passwd",)),
    Input(collect=("../x",)), Input(files={str(i): b"" for i in range(300)}), Input(files={"a": b"x" * (65 << 20)}),
    Input(args=("a\0b",)), Input(args=("\ud800",)), Input(args=("x" * 200_000,)), Input(args=("x",) * 20_000),
])  # fmt: skip
def test_what_no_jail_could_take_is_refused_with_a_reason(sandbox: Sandbox, given: Input) -> None:
    with pytest.raises(OptionError, match=r"file|argument"):
        sandbox.run(Program(b"print(1)"), [given])
    assert out(sandbox, "print(1)") == b"1\n"


@pytest.mark.parametrize(
    "files", [{"a/b": b""}, {"main.py": b"print(2)"}, {str(i): b"" for i in range(300)}]
)
def test_program_files_need_names_of_their_own(sandbox: Sandbox, files: dict[str, bytes]) -> None:
    with pytest.raises(OptionError, match="file"):
        sandbox.run(Program(b"print(1)", files=files))


# ---------------------------------------------------------------- languages


def test_languages_have_many_names() -> None:
    for name, wanted in (
        ("C++", "cpp"),
        (" py ", "python"),
        ("Node", "javascript"),
        ("rs", "rust"),
        ("SH", "bash"),
    ):
        assert language_of(name).name == wanted


def test_a_language_there_is_not(sandbox: Sandbox) -> None:
    with pytest.raises(OptionError, match=r"no language 'pyton'.*python"):
        sandbox.run(Program(b"", "pyton"))


def test_a_language_that_is_not_installed_says_what_to_install(sandbox: Sandbox) -> None:
    (jail,) = sandbox._idle
    inventory = jail.inventory
    jail.inventory = replace(inventory, tools={**inventory.tools, "rustc": False})
    try:
        with pytest.raises(SandboxError, match=r"no rustc.*Install"):
            sandbox.run(Program(b"fn main() {}", "rust"))
    finally:
        jail.inventory = inventory


# ---------------------------------------------------------------- limits

LIMITED = {
    "wall": ("import time\nprint(1, flush=True)\ntime.sleep(99)", Limits(wall_s=0.5), Limit.WALL, b"1\n"),
    "cpu": ("print(1, flush=True)\nwhile True: pass", Limits(cpu_s=0.5), Limit.CPU, b"1\n"),
    "memory": ("x = [bytes([i % 251]) * (1 << 20) for i in range(999)]\nimport time; time.sleep(9)", Limits(memory_mb=100), Limit.MEMORY, b""),
    "processes": ("import os, time\nfor i in range(20):\n    if os.fork() == 0: time.sleep(9)\ntime.sleep(9)", Limits(processes=10), Limit.PROCESSES, b""),
    "output": ("print('x' * 5000)", Limits(output_kb=2), Limit.OUTPUT, b"x" * 2048),
    "output of errors": ("import sys\nsys.stderr.write('x' * 5000)", Limits(output_kb=2), Limit.OUTPUT, b""),
}  # fmt: skip


@pytest.mark.parametrize("which", LIMITED)
def test_each_limit_is_told_and_what_was_printed_is_kept(sandbox: Sandbox, which: str) -> None:
    source, limits, limit, stdout = LIMITED[which]
    execution = run(sandbox, source, limits=limits)
    assert (execution.limit, execution.stdout) == (limit, stdout)
    assert not execution.ok
    assert execution.ending == f"over its limit of {limit}"


def test_a_file_may_not_be_larger_than_its_limit(sandbox: Sandbox) -> None:
    source = "f = open('x', 'wb')\ntry:\n    for _ in range(3): f.write(bytes(1 << 20)); f.flush()\nexcept OSError as e: print(e.strerror)"
    limits = Limits(file_mb=2, output_kb=1)
    assert out(sandbox, source, limits=limits) == b"File too large\n"
    assert (
        run(
            sandbox,
            '#include <stdio.h>\nint main() { FILE *f = fopen("x", "w"); for (;;) fputc(0, f); }',
            language="c",
            limits=limits,
        ).limit
        is Limit.FILE_SIZE
    )


def test_disk_and_files_are_limited(sandbox: Sandbox) -> None:
    limits = Limits(disk_mb=1, files=20)
    fill = "try:\n    for i in range(9): open(str(i), 'wb').write(bytes(300_000))\nexcept OSError as e: print(e.strerror)"
    assert out(sandbox, fill, limits=limits) == b"No space left on device\n"
    many = "try:\n    for i in range(999): open(str(i), 'wb').close()\nexcept OSError as e: print(e.strerror)"
    assert out(sandbox, many, limits=limits) == b"No space left on device\n"


def test_compiling_is_limited_too(sandbox: Sandbox) -> None:
    endless = b'#include "/dev/random"\nint main() {}\n'
    result = sandbox.run(Program(endless, "c"), [b""], Limits(compile_s=1))
    assert result.executions == ()
    assert result.compile_error
    assert out(sandbox, SUM["c"], b"1 2", language="c") == b"3\n"


def test_what_a_program_used_is_told(sandbox: Sandbox) -> None:
    execution = run(
        sandbox,
        "import time\ntime.sleep(0.3)\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\nx = bytes(50 << 20) + b'1'",
    )
    assert execution.wall_s >= 0.6
    assert 0.3 <= execution.cpu_s < 2
    assert 50 <= execution.memory_mb < 200


def test_limits_of_takes_what_is_given_and_no_more() -> None:
    assert Limits.of(None) == Limits()
    assert Limits.of({"wall_s": 2, "memory_mb": 64}, Limits(cpu_s=1)) == Limits(
        wall_s=2, cpu_s=1, memory_mb=64
    )
    for given, message in (
        ({"wall": 1}, r"no limit 'wall'.*wall_s"),
        ({"wall_s": 0}, "positive"),
        ({"wall_s": -1}, "positive"),
        ({"wall_s": True}, "positive"),
        ({"wall_s": "1"}, "positive"),
        ({"wall_s": float("nan")}, "positive"),
        ({"wall_s": float("inf")}, "positive"),
        ({"memory_mb": 10**15}, "positive"),
        ({"disk_mb": 0.5}, "at least 1"),
        ([1], "names and numbers"),
    ):
        with pytest.raises(OptionError, match=message):
            Limits.of(given)  # type: ignore[arg-type]


def test_the_largest_and_smallest_limits_there_can_be(sandbox: Sandbox) -> None:
    """Those that are more than this user may have are what this user may have."""
    most = dict.fromkeys(Limits.__slots__, 10**6)
    assert out(sandbox, "print(1)", limits=Limits(**most)) == b"1\n"
    assert out(sandbox, SUM["c"], b"1 2", language="c", limits=Limits(**most)) == b"3\n"
    least = {name: 0.001 if name.endswith("_s") else 1 for name in Limits.__slots__}
    assert run(sandbox, "while True: pass", limits=Limits(**least)).limit is not None
