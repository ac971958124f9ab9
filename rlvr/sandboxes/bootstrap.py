"""The runner's sources, as they go over the link when a jail starts."""

from __future__ import annotations

import functools
import json
import struct
from importlib import resources


CODE = """
import importlib.abc, importlib.util, json, os, struct, sys
def exactly(n):
    data = b""
    while len(data) < n:
        got = os.read(0, n - len(data))
        if not got: os._exit(0)
        data += got
    return data
sources = json.loads(exactly(struct.unpack("<I", exactly(4))[0]))
class Finder(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    def find_spec(self, name, path=None, target=None):
        if name in sources:
            return importlib.util.spec_from_loader(name, self, is_package=name == "runner")
    def get_source(self, name):
        return sources[name]
sys.meta_path.insert(0, Finder())
from runner import broker
broker.main()
"""
"""What `python3 -I -c` runs in a jail: takes the sources, imports the broker and leaves the rest to it."""


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
