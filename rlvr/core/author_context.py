"""The context in which authors' methods run in this process."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager

context: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext
"""Makes the context. `rlvr.scoring.prints` sets it, to keep their prints apart."""
