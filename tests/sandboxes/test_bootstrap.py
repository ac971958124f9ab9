"""The first lines that run in a jail: they end where the owner is gone before it has sent anything."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rlvr.sandboxes import bootstrap


@pytest.mark.parametrize("sent", [b"", b"\x05", (5).to_bytes(4, "little") + b"{}"])
def test_it_ends_where_the_owner_dies_before_the_sources_are_sent(sent: bytes) -> None:
    command = [sys.executable, "-S", "-s", "-c", bootstrap.CODE]
    done = subprocess.run(command, input=sent, capture_output=True, timeout=60)
    assert done.stdout == b""
