from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from rlvr.sandboxes.bubblewrap import Bubblewrap
from rlvr.sandboxes.workspace_jails import jails


@pytest.fixture(scope="module")
def workspaces_of_bubblewrap() -> Iterator[None]:
    """Open workspaces in bubblewrap, whose jails end with the module. Skips without bubblewrap; but CI has to have it."""
    if Bubblewrap().why_not() and not os.environ.get("CI"):
        pytest.skip("bubblewrap isn't here")
    os.environ["RLVR_SANDBOX"] = "bubblewrap"
    yield
    del os.environ["RLVR_SANDBOX"]
    jails.close()
