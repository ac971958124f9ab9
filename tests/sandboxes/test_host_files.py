"""Programs see an allow-list of the machine, whatever is installed beside rlvr and wherever Python is."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlvr.sandboxes import Limits, Program, Sandbox
from rlvr.sandboxes.bubblewrap import Bubblewrap
from rlvr.sandboxes.interpreter import base_python, interpreter

LONG = Limits(wall_s=120, cpu_s=60)
MARK = "answers_of_the_benchmark"
LOOK = f"""
import importlib, json, os, sys
found = []
for root, folders, files in os.walk("/"):
    if root == "/": folders[:] = [one for one in folders if one not in ("proc", "sys")]
    paths = [os.path.join(root, one) for one in files if {MARK!r} in os.path.join(root, one)]
    found += [path for path in paths if os.path.getsize(path)]
for name in ("{MARK}", "{MARK}_module", "{MARK}_zip"):
    try: found += [name] if hasattr(importlib.import_module(name), "answers") else []
    except ImportError: pass
import numpy
print(json.dumps([found, sys.prefix, numpy.arange(3).tolist(), sys.path]))
"""


def seen(sandbox: Sandbox) -> list[str]:
    """Return every file that a program sees, outside of /proc and of its own folders."""
    source = b"""
import os
for root, folders, files in os.walk("/"):
    if root == "/": folders[:] = [one for one in folders if one not in ("proc", "tmp", "box", "sys")]
    for one in files: print(os.path.join(root, one))
"""
    (done,) = sandbox.run(
        Program(source), [b""], Limits(wall_s=120, cpu_s=60, output_kb=65536)
    ).executions
    assert done.ok, done
    return done.stdout.decode("utf-8", "surrogateescape").splitlines()


# Written by hand from what compilers and runtimes need, not from the code.
ALLOWED = (
    r"/usr/bin/[^/]+", r"/usr/include/.*", r"/usr/lib(32|64|x32)?/ld-[^/]*", r"/usr/lib/[a-z0-9_]+-linux-gnu[a-z0-9]*/.*",
    r"/usr/lib/gcc/.*", r"/usr/libexec/gcc/.*", r"/usr/lib/jvm/.*", r"/usr/lib/go[^/]*/.*", r"/usr/lib/locale/C\.utf8/.*",
    r"/usr/share/go[^/]*/src/.*", r"/usr/share/zoneinfo/.*", r"/etc/alternatives/.*", r"/etc/java-[^/]+/.*",
    r"/etc/(ld\.so\.cache|localtime)", r"/dev/(null|full|random|urandom|stdin|stdout|stderr)", r"/usr/local/bin/(python[0-9.]*|rustc|go|node|javac?|gcc|g\+\+)",
    r".*/lib/rustlib/.*", r".*/bin/rustc", r".*/lib/lib(rustc|LLVM|std)[^/]*", r"/(s?bin|lib(32|64|x32)?)",
)  # fmt: skip


def test_every_file_that_programs_see_is_on_the_list(sandbox: Sandbox) -> None:
    python = interpreter(base_python())
    own = [
        rf"{re.escape(str(python.program.parent))}/python[0-9.]*",
        *(re.escape(str(one)) for one in python.libraries),
    ]
    numpy = r"site-packages/numpy(\.libs|-[0-9.]+\.dist-info)?/.*"
    own += [
        rf"{re.escape(str(folder))}/(?!site-packages|dist-packages).*" for folder in python.library
    ]
    own += [rf"{re.escape(str(folder))}/{numpy}" for folder in python.library]
    allowed = re.compile("|".join([*ALLOWED, *own]))
    assert [path for path in seen(sandbox) if not allowed.fullmatch(path)] == []


@pytest.fixture
def python(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A Python with packages and data of all kinds beside it, in a folder like a user's or below /tmp."""
    original = interpreter(base_python())
    root = Path(tempfile.mkdtemp(prefix="rlvr-python-", dir=request.param))
    root.chmod(0o755)
    prefix = root / "env"
    for path in (original.program, *original.library, *original.libraries):
        target = prefix / path.relative_to(original.prefix)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            ignore = shutil.ignore_patterns("site-packages", "test", "__pycache__", "idlelib")
            shutil.copytree(path, target, ignore=ignore, symlinks=True)
        else:
            shutil.copy2(path, target)
    library = prefix / original.library[0].relative_to(original.prefix)
    for folder in (
        library / "site-packages",
        library / "dist-packages",
        prefix / "share",
        prefix / "nltk_data",
        library,
    ):
        (folder / MARK).mkdir(parents=True)
        (folder / MARK / "__init__.py").write_text("answers = 1\n")
        (folder / MARK / f"{MARK}.jsonl.gz").write_text("answers = 1\n")
        (folder / f"{MARK}_module.py").write_text("answers = 1\n")
    (library / "site-packages" / "a.pth").write_text(f"{prefix / 'share'}\nimport {MARK}\n")
    shutil.make_archive(
        str(prefix / "lib" / f"python{original.minor.replace('.', '')}"), "zip", library, MARK
    )
    yield prefix / original.program.relative_to(original.prefix)
    shutil.rmtree(root)


@pytest.mark.sweep(gate=1)
@pytest.mark.parametrize("python", ["/var/tmp", "/tmp"], indirect=True)
def test_a_python_of_ones_own_shows_its_library_alone(python: Path) -> None:
    with Sandbox(Bubblewrap(str(python)), jails=1) as sandbox:
        (done,) = sandbox.run(Program(LOOK.encode()), [b""], LONG).executions
        assert done.ok, done
        found, prefix, counted, _ = json.loads(done.stdout)
        assert (found, counted) == ([], [0, 1, 2])
        assert (prefix == str(python.parents[1])) == (not str(python).startswith("/tmp/"))
        source = b"import subprocess\nprint(subprocess.check_output(['python3', '-c', 'import numpy, ssl, sys; print(sys.prefix)']))"
        (done,) = sandbox.run(Program(source), [b""], LONG).executions
        assert done.stdout == repr(f"{prefix}\n".encode()).encode() + b"\n", done


def test_what_the_client_could_import_no_program_can(
    tmp_path: Path, bubblewrap: Bubblewrap
) -> None:
    """PYTHONPATH, a user's own packages, an archive, and a folder that a path file names."""
    user = (
        tmp_path
        / f"home/.local/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    )
    for folder in (user, tmp_path / "path", tmp_path / "zip"):
        folder.mkdir(parents=True)
    (user / f"{MARK}.py").write_text("answers = 1\n")
    (tmp_path / "path" / f"{MARK}_module.py").write_text("answers = 1\n")
    (tmp_path / "zip" / f"{MARK}_zip.py").write_text("answers = 1\n")
    archive = shutil.make_archive(str(tmp_path / "archive"), "zip", tmp_path / "zip")
    client = f"""
import sys, {MARK}, {MARK}_module, {MARK}_zip
from rlvr.sandboxes import Limits, Program, Sandbox
with Sandbox("bubblewrap", jails=1) as sandbox:
    print(sandbox.run(Program({LOOK!r}.encode()), [b""], Limits(wall_s=120, cpu_s=60)).executions[0].stdout.decode())
"""
    paths = [str(tmp_path / "path"), archive, str(user), *filter(None, sys.path)]
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "PYTHONPATH": os.pathsep.join(paths),
    }
    done = subprocess.run(
        [sys.executable, "-c", client], env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0] == []


def test_the_image_holds_nothing_of_the_hosts_but_the_declared(every_sandbox: Sandbox) -> None:
    data = re.compile(
        r".*\.(jsonl|parquet|arrow|safetensors|db|sqlite3?|csv|tsv)(\.gz|\.zst)?|.*(human_?eval|gsm8k|mbpp).*",
        re.I,
    )
    skipped = re.compile(
        r"/usr/(share/zoneinfo|lib/jvm|share/go|lib/[^/]*linux-gnu/avahi).*|.*-packages/numpy/.*"
    )
    found = [path for path in seen(every_sandbox) if data.fullmatch(path)]
    assert [path for path in found if not skipped.fullmatch(path)] == []
