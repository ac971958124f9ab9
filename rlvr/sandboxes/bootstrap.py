"""The runner's sources, as they go over the link when a jail starts."""

from __future__ import annotations

import functools
import json
import struct
from importlib import resources

CODE = """
import json, os, struct, sys
from importlib.machinery import ModuleSpec
def exactly(n):
    data = b""
    while len(data) < n:
        got = os.read(0, n - len(data))
        if not got: os._exit(0)
        data += got
    return data
sources = json.loads(exactly(struct.unpack("<I", exactly(4))[0]))
class Runner:
    def find_spec(self, name, path=None, target=None):
        if name in sources:
            return ModuleSpec(name, self, is_package=name == "runner")
    def create_module(self, spec):
        pass
    def exec_module(self, module):
        name = module.__spec__.name
        exec(compile(sources[name], name, "exec"), module.__dict__)
import site
sys.path[:] = [entry for entry in (*sys.path, *site.getsitepackages()) if entry and os.path.exists(entry)]
sys.meta_path.insert(0, Runner())
from runner import broker
broker.main()
"""
"""What Python runs in a jail: takes the sources, imports the broker and leaves the rest to it."""


@functools.cache
def sources() -> bytes:
    """The runner's modules as the bootstrap reads them."""
    folder = resources.files("rlvr.sandboxes.runner")
    found = {
        "runner" if one.name == "__init__.py" else "runner." + one.name.removesuffix(".py"): one
        for one in folder.iterdir()
        if one.name.endswith(".py")
    }

    data = json.dumps(
        {name: one.read_text("utf-8") for name, one in sorted(found.items())}
    ).encode()
    return struct.pack("<I", len(data)) + data
