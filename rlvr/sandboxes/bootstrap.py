"""The runner's sources, as they go over the link when a jail starts."""

from __future__ import annotations

import functools
import json
import struct
from importlib import resources

_CODE = """
import marshal, os, resource, site, sys
# Where the stack may grow to is settled at exec, and inherited by every fork. Not the caller's `ulimit -s`.
stack, most = resource.getrlimit(resource.RLIMIT_STACK)
if stack != most:
    resource.setrlimit(resource.RLIMIT_STACK, (most, most))
    os.execv(sys.executable, sys.orig_argv)
del stack, most
from importlib.machinery import ModuleSpec
def exactly(fd, n):
    data = b""
    while len(data) < n:
        got = os.read(fd, n - len(data))
        if not got: os._exit(0)
        data += got
    return data
out, into = os.pipe()
if os.fork() == 0:
    import json
    sources = json.loads(exactly(0, int.from_bytes(exactly(0, 4), "little")))
    codes = {name: compile(source, name, "exec") for name, source in sources.items()}
    data = marshal.dumps(codes)
    data = len(data).to_bytes(4, "little") + data
    while data: data = data[os.write(into, data):]
    os._exit(0)
os.close(into)  # otherwise this process would wait for itself where the owner died before it sent the sources
codes = marshal.loads(exactly(out, int.from_bytes(exactly(out, 4), "little")))
os.wait(), os.close(out)
class Runner:
    def find_spec(self, name, path=None, target=None):
        if name in codes:
            return ModuleSpec(name, self, is_package=name == "runner")
    def create_module(self, spec):
        pass
    def exec_module(self, module):
        exec(codes.pop(module.__spec__.name), module.__dict__)
sys.path[:] = [entry for entry in (*sys.path, *site.getsitepackages()) if entry and os.path.exists(entry)]
sys.meta_path.insert(0, Runner())
from runner import ENTRY
ENTRY.main()
"""


def code(entry: str) -> str:
    """Return the code that Python runs in a jail: it has the sources compiled and leaves the rest to one of its modules.

    Compiled by a child: what that leaves in memory would be copied by every fork there will be.

    Args:
        entry: the module, `broker` or `workspaces`.
    """
    return _CODE.replace("ENTRY", entry)


CODE = code("broker")


_OF_BROWSERS = ("browser", "devtools", "page_script", "site")


def _is_needed(module: str, names: tuple[str, ...]) -> bool:
    return module in ("__init__", *names) if names else module not in _OF_BROWSERS


@functools.cache
def sources(names: tuple[str, ...] = ()) -> bytes:
    """Return the runner's modules as the bootstrap reads them.

    Args:
        names: of the modules that are needed (default: all but those of browsers' jails). Each is compiled at each start.
    """
    folder = resources.files("rlvr.sandboxes.runner")
    modules = {
        "runner" if file.name == "__init__.py" else "runner." + file.name.removesuffix(".py"): file
        for file in folder.iterdir()
        if file.name.endswith(".py") and _is_needed(file.name.removesuffix(".py"), names)
    }

    data = json.dumps(
        {name: file.read_text("utf-8") for name, file in sorted(modules.items())}
    ).encode()
    return struct.pack("<I", len(data)) + data
