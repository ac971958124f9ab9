"""A solution can fail its tests in every way there is, and none makes it unscored: never `broken`, never a fault.

`SandboxError` would be retried and then masked, `broken` would be the task's fault: for a model that can't
solve a task, either is better than no reward. So whoever can bring it about has found a hole.
"""

from __future__ import annotations

import pytest

from rlvr.sandboxes import FunctionTests, Limit, Limits, Program, Sandbox, TestRun

LIMITS = Limits(wall_s=1.2, cpu_s=1, memory_mb=256, file_mb=4, disk_mb=8)
ROOMY = Limits(wall_s=30, cpu_s=30)
GOLD = 48151
ASSERTS = FunctionTests(asserts=(f"assert f(1) == {GOLD}", f"assert f([2, 3]) == {GOLD}"))
CHECK = FunctionTests(
    check=f"def check(candidate):\n    assert candidate(1) == {GOLD}\n    assert candidate([2, 3]) == {GOLD}\n",
    entry_point="f",
)
# Tests of the careless kind: they catch all, they ask for texts, they copy and they sort.
CARELESS = FunctionTests(
    check=f"""
import copy
def check(candidate):
    passed = 0
    for n in (1, [2, 3]):
        try:
            got = candidate(n)
        except:
            continue
        try: print(str(got)[:9], repr(got)[:9], bool(got), got == n, copy.copy(got) is got)
        except: pass
        try: sorted([got, n]), list(got), len(got), int(got), float(got)
        except: pass
        passed += got == {GOLD}
    assert passed == 2
""",
    entry_point="f",
)
FORMS = {"asserts": ASSERTS, "check": CHECK, "careless": CARELESS}
RIGHT = f"def f(n): return {GOLD}"

# What speaks on the channel by itself. `told` waits for what the tests ask, `say` answers, `raw` sends bytes.
CHANNEL = """
import json, os, struct, sys
def peer():
    frame = sys._getframe()
    while frame:
        for value in list(frame.f_locals.values()):
            if type(value).__name__ == "Peer": return value
        frame = frame.f_back
peer = peer()
raw = peer._socket.sendall
def send(data): raw(struct.pack("<I", len(data)) + data)
def say(message): send(json.dumps(message).encode())
told = peer.receive
def bound():
    say({"names": ["f"]}); told()
    say({"value": [1], "heap": [[1, "dict", ["f", ["mine", 0, {"type": ["class", "builtins", "function"]}]]]]}); told()
number = 1001
def error(kind, text="x", args=(), state=()):
    global number
    number += 4
    return ["error", kind, [number], [number + 2], text, None], [[number, "list", list(args)], [number + 2, "dict", list(state)]]
def raised(kind, *more, **named):
    said, heap = error(kind, *more, **named)
    say({"raised": said, "heap": heap}); told()
def named(name, **more): return ["mine", number, {"name": name, "module": "solution", "bases": [], "error": True, **more}]
"""
ON_THE_CHANNEL = {
    "it closes it": "peer._socket.close()",
    "it closes every descriptor": "os.closerange(0, 1024)",
    "it shuts it for writing": "peer._socket.shutdown(1)",
    "half a message": "raw(b'\\x10\\0\\0\\0{')\nos._exit(0)",
    "a length beyond all bounds": "raw(b'\\xff' * 64)",
    "a long message that never ends": "raw(struct.pack('<I', 1 << 25) + b'[' * 1000)\nwhile True: pass",
    "no JSON": "send(b'\\xff\\xfe')",
    "no object": "say([1, 2])",
    "an empty message": "send(b'')",
    "a flood": "while True: raw(b'x' * (1 << 20))",
    "a flood of questions": "while True: say({'ask': 'call', 'with': []})",
    "questions about everything": "for ask in ('names', 'get', 'set', 'call', 'next', 'await', 'member', 'file', '__init__', ''):\n    for with_ in ([], [1], [['yours', 0]], [['yours', -1], [1]], [None, None], ['A', '__init__', None, [], {}], [['yours', 0], 'read', []]):\n        say({'ask': ask, 'with': with_})\n        print(told())",
    "a question for code": "bound()\nfor kind in (['import', 'os', 'system'], ['import', 'os', ''], ['class', 'subprocess', 'Popen'], ['class', 'builtins', 'type'], ['class', 'builtins', 'eval'], ['class', 'os', 'system'], ['class', 'collections', 'abc'], ['shared', 'f'], ['shared', 'object'], ['member', 'f', 'x', 1]):\n    say({'value': kind}); told()",
    "deep nesting": "send(b'[' * 100000)",
    "deep nesting that is JSON": "send(b'{\"value\": ' + b'[' * 900 + b']' * 900 + b'}')",
    "names of a wrong kind": "say({'names': [['f'], {'f': 1}, None, 5]})",
    "a million names": "say({'names': ['x%d' % i for i in range(10 ** 6)]})",
    "what was raised isn't that": "say({'raised': 5})",
    "what was raised is deep": "bound()\nsend(b'{\"raised\": [\"a\", [], ' + b'[' * 900 + b']' * 900 + b']}')",
    "a load error that is no text": "say({'load_error': [[[]], {}]})",
    "raised, by a name with a NUL": "bound()\nraised(named('a\\0b'), '\\ud800')",
    "raised, by a name of surrogates": "bound()\nraised(named('\\ud800'), '\\udfff')",
    "raised, by a name of megabytes": "bound()\nraised(named('x' * (1 << 24)), 'x' * (1 << 24))",
    "raised, as what the interpreter alone raises": "bound()\nfor name in ('SystemExit', 'KeyboardInterrupt', 'GeneratorExit', 'StopIteration', 'StopAsyncIteration', 'BaseException', 'MemoryError', 'RecursionError', 'ExceptionGroup', 'BaseExceptionGroup', 'Gone', 'Broken', 'type', 'object', '__import__'):\n    raised(['class', 'builtins', name])",
    "raised, as a class of the library's": "bound()\nfor module, name in (('json', 'JSONDecodeError'), ('os', 'system'), ('sys', 'exit'), ('runner.peer', 'Gone'), ('runner.remote', 'Broken'), ('unittest.case', 'SkipTest')):\n    raised(named(name, module=module))",
    "raised, with attributes that aren't": "bound()\nraised(['class', 'builtins', 'ValueError'], state=['__class__', 5, '__dict__', 5, 'args', 5, '__traceback__', 5, 7, 8, None, 9])",
    "raised, with arguments that aren't": "bound()\nfor name in ('UnicodeDecodeError', 'OSError', 'SyntaxError', 'ExceptionGroup', 'KeyError', 'ImportError'):\n    raised(['class', 'builtins', name], args=[5, ['bytes', 'eA=='], 1, 2, [1], ['class', 'builtins', 'int']])",
    "raised, with bases that aren't": "bound()\nraised(named('X', bases=[['class', 'builtins', 'int'], ['class', 'builtins', 'StopIteration'], 5]))",
    "an ImportError with a name": "bound()\nraised(['class', 'builtins', 'ModuleNotFoundError'], \"No module named 'numpy'\", args=[\"No module named 'numpy'\"], state=['name', 'numpy'])",
    "a compile error that is no text": "say({'compile_error': [[[]]]})",
    "bindings that are a text": "say({'names': ['f']}); told()\nsay({'value': '['})",
    "bindings that are deep": "say({'names': ['f']}); told()\nsend(b'{\"value\": ' + b'[' * 900 + b']' * 900 + b'}')",
    "bindings that are a list": "say({'names': ['f']}); told()\nsay({'value': [1], 'heap': [[1, 'list', [1, 2]]]})",
    "bindings to numbers": "say({'names': ['f']}); told()\nsay({'value': [1], 'heap': [[1, 'dict', ['f', 5, 5, 'f']]]})",
    "bindings to what can't be read": "say({'names': ['f']}); told()\nsay({'value': [1], 'heap': [[1, 'dict', ['f', ['nonsense', 1]]]]})",
    "bindings to modules": "say({'names': ['f']}); told()\nsay({'value': [1], 'heap': [[1, 'dict', ['f', ['import', 'os', ''], 'g', ['import', 'os', 'system']]]]})",
    "bindings of megabytes": "say({'names': ['f']}); told()\nsay({'value': [1], 'heap': [[1, 'dict', ['f', 'x' * (60 << 20)]]]})",
    "a question instead of bindings": "say({'names': ['f']})\nwhile True: say({'ask': 'next', 'with': [['yours', 0]]})",
    "an answer of millions of lists": "bound()\nsend(b'{\"value\": [5], \"heap\": [' + b','.join(b'[%d,\"list\",[]]' % n for n in range(5, 4_000_005, 2)) + b']}')",
    "an answer of millions of references": "bound()\nsend(b'{\"value\": [5], \"heap\": [[5, \"list\", [' + b'[5],' * 5_000_000 + b'0]]]}')",
    "an answer of many classes": 'bound()\nsend(b\'{"value": [5], "heap": [\' + b\',\'.join(b\'[%d,"named",["a",["b%d"],1]]\' % (n, n) for n in range(5, 200_005, 2)) + b\']}\')',
    "an answer of many mirrors": 'bound()\nsend(b\'{"value": [5], "heap": [[5, "list", [\' + b\',\'.join(b\'["mine",%d,{"name":"A","module":"","bases":[],"special":[]}]\' % n for n in range(1, 100_000)) + b\']]]}\')',
    "an answer of unhashables": "bound()\nsay({'value': [5], 'heap': [[3, 'list', []], [5, 'set', [[3]]]]})",
    "an answer in a circle of tuples": "bound()\nsay({'value': [5], 'heap': [[3, 'tuple', [[5]]], [5, 'tuple', [[3]]]]})",
    "an answer in a circle of sets": "bound()\nsay({'value': [5], 'heap': [[3, 'set', [[5]]], [5, 'frozenset', [[3]]]]})",
    "a chain of a million": "bound()\nsend(b'{\"value\": [3], \"heap\": [[1000001, \"list\", []],' + b','.join(b'[%d,\"list\",[[%d]]]' % (n, n + 2) for n in range(3, 1_000_001, 2)) + b']}')",
    "a tuple as deep as a million": "bound()\nsend(b'{\"value\": [3], \"heap\": [[1000001, \"tuple\", [1]],' + b','.join(b'[%d,\"tuple\",[[%d]]]' % (n, n + 2) for n in range(999_999, 1, -2)) + b']}')",
    "a key as deep as a million": 'bound()\nsend(b\'{"value": [1], "heap": [[1000001, "tuple", [1]],\' + b\',\'.join(b\'[%d,"tuple",[[%d]]]\' % (n, n + 2) for n in range(999_999, 1, -2)) + b\',[1000003,"dict",[[3],1]]]}\')',
    "numbers of objects that aren't": "bound()\nfor n in ('x', -1, 2, 4, 1.5, True, None, [1], 1 << 70):\n    say({'value': [5], 'heap': [[5, 'list', []], [n, 'list', []]], 'gone': [n]}); told()",
    "an object twice": "bound()\nsay({'value': [5], 'heap': [[5, 'list', []], [5, 'dict', []], [5, 'list', [1]]]})",
    "an object of another kind than it was": "bound()\nfor kind in ('dict', 'tuple', 'named', 'object', 'numpy', 'list', 'keys', 'nothing', None, []):\n    say({'value': [5], 'heap': [[5, 'list', []]]}); told(); say({'value': [5], 'heap': [[5, kind, []]]}); told()",
    "objects of all kinds with nothing in them": "bound()\nfor i, kind in enumerate(('list', 'tuple', 'dict', 'set', 'frozenset', 'bytearray', 'keys', 'values', 'items', 'deque', 'counter', 'ordered', 'default', 'namespace', 'text file', 'bytes file', 'array', 'numpy', 'named', 'object')):\n    say({'value': [2 * i + 5], 'heap': [[2 * i + 5, kind, []]]}); told()",
    "an array of a huge shape": "bound()\nsay({'value': [5], 'heap': [[5, 'numpy', ['<f8', [1 << 40, 1 << 40]]]]})",
    "a pattern that takes for ever": "bound()\nsay({'value': ['pattern', '(a*)*' * 5000, 0]})",
    "a range without end": "bound()\nsay({'value': ['range', 0, 1 << 62, 1]})",
    "objects gone that the tests have": "bound()\nfor n in range(0, 100, 2): say({'value': 1, 'gone': list(range(100))}); told()",
    "an answer of a strange number": "bound()\nsay({'value': ['int', '0x' + 'f' * 30_000_000]})",
    "an answer of a number in tens of digits": "bound()\nsend(b'{\"value\": ' + b'9' * 5_000_000 + b'}')",
    "an answer of fractions": "bound()\nsay({'value': ['fraction', '1e100000000', 1]})",
    "an answer with a huge exponent": "bound()\nsay({'value': ['decimal', '1e999999999']})",
    "an answer of handles that aren't": "bound()\nfor inside in ([], [1], ['x', {}], [[], {}], [1e308, {}], [99], [0, {'error': 5, 'name': 'x'}], [1, {'error': ['Nothing'], 'name': '\\0', 'module': '', 'bases': []}], [2, []], [3, {'type': 5}], [4, {'type': ['class', 'builtins', 'int']}]):\n    say({'value': ['mine', *inside]}); told()",
    "a class with methods of Python's": "bound()\nsay({'value': ['mine', 9, {'type': ['mine', 8, {'name': 'A', 'module': 'x', 'bases': [], 'error': False, 'doc': 5, 'special': ['eq', 'getattr', 'class', 'len'], 'plain': True, 'methods': ['__getattr__', '__eq__', '__class__', '_of', '_is', '__slots__', '__getattribute__', '__init__', '__new__', '__mro__', '__instancecheck__', '']}]}]}); told()",
    "an answer that is a class of exceptions": "bound()\nfor i in range(2): say({'value': ['mine', 7, {'name': 'AssertionError', 'module': 'builtins', 'bases': [], 'error': True}]})\ntold()",
    "a value that changes what the tests hold": "bound()\nfor n in range(0, 60, 2): say({'value': 1, 'heap': [[n, 'list', [48151]]]}); told()",
    "output that is none": "bound()\nfor printed in (5, [5], [[], {}], ['x' * (1 << 20)] * 9): say({'value': 1, 'printed': printed}); told()",
    "files that are none": "bound()\nfor files in (5, [5], [['/etc/x', 'eA==']], [['/tmp/../etc/x', 'eA==']], [['/tmp/json.py', 'eA==']]): say({'value': 1, 'files': files}); told()",
    "classes that are none": "bound()\nsay({'value': 1, 'classes': [['A', [], [], {}]]})",
    "answers nobody asked for": "for i in range(1000): say({'value': None})",
    "a wrong answer to everything": "say({'names': ['f']})\nwhile True:\n    told(); say({'value': '{}'})",
}
IN_THE_FUNCTION = {
    "os._exit(0)": "import os\ndef f(n): os._exit(0)",
    "SIGKILL": "import os\ndef f(n): os.kill(os.getpid(), 9)",
    "SIGSEGV": "import ctypes\ndef f(n): ctypes.string_at(0)",
    "SIGSTOP": "import os\ndef f(n): os.kill(os.getpid(), 19)",
    "another program": "import os\ndef f(n): os.execv('/bin/true', ['true'])",
    "another program that lives on": "import os\ndef f(n): os.execv('/bin/sh', ['sh', '-c', 'sleep 60 & sleep 60'])",
    "hanging": "import time\ndef f(n): time.sleep(1e6)",
    "a busy loop": "def f(n):\n    while True: pass",
    "hanging while it's loaded": "import time\ntime.sleep(1e6)",
    "dying while it's loaded": "import os\nos.kill(os.getpid(), 9)",
    "memory": "def f(n):\n    return [b'x' * (1 << 20) + bytes([i % 251]) for i in range(4000)]",
    "one huge allocation": "def f(n): return bytearray(1 << 44)",
    "a fork bomb": "import os\ndef f(n):\n    while True:\n        try: os.fork()\n        except OSError: pass",
    "a fork bomb while it's loaded": "import os\nwhile True: os.fork()",
    "a fork that answers as well": "import os\ndef f(n):\n    os.fork()\n    return 0",
    "threads": "import threading, time\ndef f(n):\n    while True: threading.Thread(target=time.sleep, args=[60], daemon=True).start()",
    "a full disk": "def f(n):\n    i = 0\n    while True:\n        open(f'/tmp/{i}', 'wb').write(bytes(1 << 20)); i += 1",
    "no file left": "import os\nfor folder in ('/tmp', '/dev/shm', '/box', '/'):\n    for name in os.listdir(folder):\n        try: os.unlink(f'{folder}/{name}')\n        except OSError: pass\ntry: os.rmdir('/tmp')\nexcept OSError: pass\ntry: os.chmod('/tmp', 0)\nexcept OSError: pass\ndef f(n): return 0",
    "a flood of output": "def f(n):\n    while True: print('x' * 100000)",
    "standard streams closed": "import os, sys\ndef f(n):\n    os.close(0); os.close(1); os.close(2)\n    sys.stdout = sys.stderr = None\n    return 0",
    "standard streams that fail": "import sys\nclass Out:\n    def write(self, x): raise SystemExit\n    def flush(self): raise KeyboardInterrupt\nsys.stdout = sys.stderr = Out()\ndef f(n): return 0",
    "infinite recursion": "def f(n): return f(n)",
    "recursion without a limit": "import sys\nsys.setrecursionlimit(10 ** 9)\ndef f(n): return f(n)",
    "a circle": "def f(n):\n    x = []; x.append(x); return x",
    "a circle in its argument": "def f(n):\n    if n != 1: n.append(n)\n    return 0",
    "a deep list": "def f(n):\n    x = []\n    for i in range(100000): x = [x]\n    return x",
    "a list as deep as it may be": "def f(n):\n    x = []\n    for i in range(240): x = [x]\n    return x",
    "tuples as deep as they may be": "def f(n):\n    x = ()\n    for i in range(160): x = (x,)\n    return x",
    "a dict of a million keys": "def f(n): return dict.fromkeys(range(10 ** 6))",
    "a list of twenty million": "def f(n): return [0] * 20_000_000",
    "a text too long to be sent": "def f(n): return 'x' * (70 << 20)",
    "a number of 10⁷ digits": "def f(n): return 1 << 33_000_000",
    "NaN": "def f(n): return float('nan')",
    "surrogates": "def f(n): return '\\ud800'",
    "an error whose text fails": "class E(Exception):\n    def __str__(self): raise E\n    __repr__ = __str__\ndef f(n): raise E",
    "an error whose text exits": "import os\nclass E(Exception):\n    def __str__(self): os._exit(0)\ndef f(n): raise E",
    "an error whose text is none": "class E(Exception):\n    def __str__(self): return 5\ndef f(n): raise E",
    "an error whose text is long": "def f(n): raise ValueError('\\U0001f600' * 10 ** 6)",
    "an error whose class lies": "class M(type):\n    __name__ = property(lambda c: 1 / 0)\n    __mro__ = property(lambda c: 1 / 0)\nclass E(Exception, metaclass=M): pass\ndef f(n): raise E",
    "an error with a strange name": "E = type('a b\\n', (Exception,), {})\ndef f(n): raise E('x')",
    "a NameError by name": "def f(n): raise NameError('f', name='numpy')",
    "an ImportError by name": "def f(n): raise ModuleNotFoundError(\"No module named 'numpy'\", name='numpy')",
    "a module that isn't there": "def f(n):\n    import numpy_that_is_not_there",
    "a module that isn't there, while it's loaded": "import numpy_that_is_not_there",
    "a module named as the function": "import os as f",
    "a module that lies about its name": "import types\nf = types.ModuleType('os')\nmath = types.ModuleType('no_such_module')",
    "an exception group": "def f(n): raise ExceptionGroup('x', [ValueError()]) if 'ExceptionGroup' in dir(__builtins__) else ValueError()",
    "MemoryError": "def f(n): raise MemoryError",
    "SystemExit": "def f(n): raise SystemExit(0)",
    "KeyboardInterrupt": "def f(n): raise KeyboardInterrupt",
    "SystemExit while it's loaded": "raise SystemExit(0)",
    "the runner's own exceptions": "import sys\nfrom runner.peer import Gone\ndef f(n): raise Gone('x')",
    "an object whose class lies": "class A:\n    __class__ = property(lambda s: int)\n    def __eq__(self, other): return True\n    def __index__(self): return 1\ndef f(n): return A()",
    "an object whose class raises": "class A:\n    @property\n    def __class__(self): raise SystemExit\ndef f(n): return A()",
    "an object whose methods lie": "class A:\n    def __len__(self): return -1\n    def __bool__(self): return 5\n    def __str__(self): return 5\n    __repr__ = __str__\n    def __iter__(self): return 5\n    def __int__(self): return 'x'\n    def __float__(self): return 'x'\n    def __getattr__(self, name): raise SystemExit\n    def __next__(self): return self\ndef f(n): return A()",
    "an object whose length is huge": "class A:\n    def __len__(self): return (1 << 63) - 1\n    def __iter__(self):\n        while True: yield self\ndef f(n): return A()",
    "an endless generator": "def f(n):\n    while True: yield n",
    "a list that lies": "class L(list):\n    def __iter__(self): raise SystemExit\n    def __len__(self): return 10 ** 18\ndef f(n): return L([1])",
    "a dict that changes": "class D(dict):\n    def items(self):\n        while True: yield 1, 1\ndef f(n): return D(a=1)",
    "a tuple with names that can't be": "class T(tuple):\n    _fields = ('class', '1x')\ndef f(n): return T((1, 2))",
    "a tuple with the names of a million": "class T(tuple):\n    _fields = tuple('x%d' % i for i in range(100000))\ndef f(n): return T(range(100000))",
    "patched modules": "import json, os, socket, struct, sys\nfor module in (json, os, socket, struct):\n    for name in list(vars(module)):\n        if not name.startswith('__'):\n            try: setattr(module, name, None)\n            except Exception: pass\ndef f(n): return 0",
    "patched built-ins": "import builtins\nfor name in ('len', 'list', 'isinstance', 'type', 'getattr', 'str', 'repr', 'dict', 'iter', 'next'): setattr(builtins, name, lambda *a, **k: exit())\ndef f(n): return 0",
    "patched runner": "import sys\nfor name, module in list(sys.modules.items()):\n    if name.startswith('runner'):\n        for one in list(vars(module)): setattr(module, one, None)\ndef f(n): return 0",
    "a tracer": "import sys, threading\ndef f(n):\n    def trace(*a): raise SystemExit\n    sys.settrace(trace)\n    return 0",
    "a collector that runs amok": "import gc\nclass A:\n    def __del__(self): A(); raise SystemExit\nA()\ndef f(n):\n    gc.set_threshold(1)\n    return 0",
    "signals to itself": "import os, signal\ndef f(n):\n    for number in range(1, 65):\n        if number not in (9, 19): os.kill(os.getpid(), number)\n    return 0",
    "a timer": "import signal\nsignal.setitimer(signal.ITIMER_REAL, 0.001)\ndef f(n):\n    while True: pass",
    "an answer in thousands of steps": "class A:\n    def __iter__(self): return self\n    def __next__(self): return 0\n    def __len__(self): return 10 ** 9\ndef f(n): return A()",
}
OF_THE_SOURCE = {
    "nothing": b"",
    "a NUL": b"def f(n): return 0\0",
    "no UTF-8": b"x = '\xff'\ndef f(n): return 0",
    "a strange encoding": b"# -*- coding: nonsense -*-\ndef f(n): return 0",
    "UTF-16": "def f(n): return 0".encode("utf-16"),
    "parentheses": b"x = " + b"(" * 5000 + b")" * 5000,
    "lambdas": b"x = " + b"lambda:" * 1500 + b"0\ndef f(n): return 0",
    "minuses": b"x = " + b"-" * 100_000 + b"1\ndef f(n): return 0",
    "a sum": b"x = " + b"1+" * 200_000 + b"1\ndef f(n): return 0",
    "a power": b"x = 9 ** 9 ** 9 ** 9\ndef f(n): return 0",
    "megabytes": b"x = '" + b"x" * (8 << 20) + b"'\ndef f(n): return 0",
    "blocks": b"".join(b" " * i + b"if 1:\n" for i in range(150)),
    "a tab": b"if 1:\n\tx = 1\n        y = 2\n",
}  # fmt: skip


def judged(sandbox: Sandbox, solution: bytes | str, tests: FunctionTests) -> TestRun:
    source = solution if isinstance(solution, bytes) else solution.encode()
    return sandbox.run_tests(source, tests, LIMITS)  # SandboxError is what no solution may cause


def has_failed(run: TestRun, tests: FunctionTests) -> None:
    """Scored, and no reward: what didn't pass has a reason, and it's not the tests'."""
    assert run.broken == ""
    failed = [one for one in run.outcomes if not one.passed]
    assert all(one.error for one in failed)
    assert failed or run.limit or run.compile_error is not None or run.load_error is not None, run
    assert sum(one.passed for one in run.outcomes) < len(tests)


def the_next_is_right(sandbox: Sandbox, tests: FunctionTests) -> None:
    run = sandbox.run_tests(RIGHT.encode(), tests, ROOMY)
    assert [one.passed for one in run.outcomes] == [True] * len(tests), run


@pytest.mark.sweep(gate=11)
@pytest.mark.parametrize("form", ["asserts", "careless"])
@pytest.mark.parametrize("how", ON_THE_CHANNEL)
def test_whatever_it_says_on_the_channel(sandbox: Sandbox, how: str, form: str) -> None:
    run = judged(sandbox, CHANNEL + ON_THE_CHANNEL[how], FORMS[form])
    has_failed(run, FORMS[form])
    the_next_is_right(sandbox, FORMS[form])


@pytest.mark.sweep(gate=10)
@pytest.mark.parametrize("form", ["check", "careless"])
@pytest.mark.parametrize("how", IN_THE_FUNCTION)
def test_whatever_the_function_does(sandbox: Sandbox, how: str, form: str) -> None:
    has_failed(judged(sandbox, IN_THE_FUNCTION[how], FORMS[form]), FORMS[form])
    the_next_is_right(sandbox, FORMS[form])


@pytest.mark.sweep(gate=6)
@pytest.mark.parametrize("how", OF_THE_SOURCE)
def test_whatever_the_source_is(sandbox: Sandbox, how: str) -> None:
    has_failed(judged(sandbox, OF_THE_SOURCE[how], ASSERTS), ASSERTS)
    the_next_is_right(sandbox, ASSERTS)
    run = sandbox.run(
        Program(OF_THE_SOURCE[how]), [b""], LIMITS
    )  # nor does it make a program unscored
    assert run.compile_error is not None or len(run.executions) == 1


def test_texts_of_errors_do_not_fill_the_report(sandbox: Sandbox) -> None:
    tests = FunctionTests(asserts=("assert f(1) == 1",) * 1500)
    source = b"def f(n): raise ValueError('\\U0001f600' * 5000)"
    run = sandbox.run_tests(source, tests, ROOMY)
    assert len(run.outcomes) == 1500
    assert not any(one.passed for one in run.outcomes)
    assert run.outcomes[0].error.startswith("ValueError: \U0001f600")


@pytest.mark.sweep
def test_what_one_solution_sends_is_no_burden_for_the_next(sandbox: Sandbox) -> None:
    """Their tests may share a process, and so its memory."""
    for _ in range(4):
        large = sandbox.run_tests(b"def f(n): return [[i] for i in range(10 ** 6)]", ASSERTS, ROOMY)
        has_failed(large, ASSERTS)
        for _ in range(3):
            the_next_is_right(sandbox, ASSERTS)


def test_a_solution_that_is_gone_passes_nothing(sandbox: Sandbox) -> None:
    """Not even a test that wants an exception and would take any."""
    raising = "def check(candidate):\n    try:\n        candidate(1)\n    except:\n        return\n    assert False\n"
    for end in ("os._exit(0)", "os.kill(os.getpid(), 9)", "os.closerange(3, 99)"):
        tests = FunctionTests(check=raising, entry_point="f")
        run = judged(sandbox, f"import os\ndef f(n): {end}", tests)
        assert [one.passed for one in run.outcomes] == [False], end
    assert sandbox.run_tests(b"def f(n): 1 / 0", tests, ROOMY).outcomes[0].passed


# ---------------------------------------------------------------- what is the tests' own fault

BROKEN = {
    "an assert with a syntax error": FunctionTests(asserts=("assert f(1) == 1", "assert f(1 =")),
    "a check with a syntax error": FunctionTests(check="def check(candidate:", entry_point="f"),
    "a setup with a syntax error": FunctionTests(asserts=("assert f(1)",), setup="x ="),
    "a setup that raises": FunctionTests(asserts=("assert f(1)",), setup="1 / 0"),
    "a prelude that raises": FunctionTests(asserts=("assert f(1)",), prelude="import no_such_module"),
    "no check": FunctionTests(check="def tests(candidate): pass", entry_point="f"),
    "a check that is no function": FunctionTests(check="check = 5", entry_point="f"),
    "a module that isn't there": FunctionTests(asserts=("import no_such_module\nassert f(1) == 1",)),
    "an endless setup": FunctionTests(asserts=("assert f(1)",), setup="while True: pass"),
    "a setup that sleeps": FunctionTests(asserts=("assert f(1)",), setup="import time\ntime.sleep(60)"),
    "an endless test": FunctionTests(asserts=("while True: pass",)),
    "a test that sleeps": FunctionTests(check="def check(f):\n    import time\n    time.sleep(60)", entry_point="f"),
    "a setup that exits": FunctionTests(asserts=("assert f(1)",), setup="import os\nos._exit(3)"),
    "a setup that dies": FunctionTests(asserts=("assert f(1)",), setup="import ctypes\nctypes.string_at(0)"),
    "memory": FunctionTests(asserts=("assert f(1)",), setup="x = [bytes([i % 251]) * (1 << 20) for i in range(4000)]"),
    "arguments too large": FunctionTests(asserts=("assert f('x' * (70 << 20))",)),
}  # fmt: skip


@pytest.mark.sweep(gate=3)
@pytest.mark.parametrize("how", BROKEN)
def test_tests_that_cannot_be_run_are_nobodys_wrong_answer(sandbox: Sandbox, how: str) -> None:
    run = sandbox.run_tests(RIGHT.encode(), BROKEN[how], Limits(wall_s=2, cpu_s=2, memory_mb=256))
    assert run.broken
    the_next_is_right(sandbox, ASSERTS)


SLOW_SETUP = "import time\nend = time.monotonic() + 1.5\nwhile time.monotonic() < end: pass\n"
BLAMES = {
    "a late answer": "import time\ntime.sleep(2.6)\n" + RIGHT,
    "a late answer, and gone": "import os, threading, time\ntime.sleep(2.6)\nthreading.Thread(target=lambda: (time.sleep(0.2), os._exit(0))).start()\n" + RIGHT,
    "all processors taken": "import os\nfor i in range(5): os.fork()\nwhile True: pass\n" + RIGHT,
    "much to read": CHANNEL + "say({'names': ['f']}); told()\nsay({'value': [1], 'heap': [[1, 'dict', ['f', ['mine', 0, {'type': ['class', 'builtins', 'function'], 'x': 'x' * (50 << 20)}]]]]}); told()\nimport time\ntime.sleep(60)",
}  # fmt: skip


@pytest.mark.sweep(gate=3)
@pytest.mark.parametrize("how", BLAMES)
def test_a_solution_cannot_use_up_the_time_of_its_tests(sandbox: Sandbox, how: str) -> None:
    """Tests that work for long before they first call are over their limit by its doing, not their own."""
    limits = Limits(wall_s=3, cpu_s=3, memory_mb=256)
    check = f"def check(candidate):\n    {SLOW_SETUP.strip().replace(chr(10), chr(10) + '    ')}\n    assert candidate(1) == {GOLD + 1}\n"
    tests = FunctionTests(check=check, entry_point="f")
    run = sandbox.run_tests(BLAMES[how].encode(), tests, limits)
    has_failed(run, tests)


def test_limits_of_a_solution_are_told(sandbox: Sandbox) -> None:
    for source, limit in (
        ("def f(n):\n    while True: pass", Limit.CPU),
        ("import time\ndef f(n): time.sleep(60)", Limit.WALL),
        ("def f(n): return [bytes([i % 251]) * (1 << 20) for i in range(4000)]", Limit.MEMORY),
        ("def f(n):\n    while True: print('x' * 1000)", Limit.OUTPUT),
    ):
        run = sandbox.run_tests(source.encode(), ASSERTS, Limits(wall_s=3, cpu_s=1, memory_mb=256))
        assert run.limit is limit
        assert not any(one.passed for one in run.outcomes)
