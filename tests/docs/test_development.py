"""docs/development.md says of every sweep what the gate leaves to `make test-all`."""

from __future__ import annotations

import re

from tests.docs.fences import ROOT

PAGE = (ROOT / "docs/development.md").read_text(encoding="utf-8")


def test_every_file_with_a_sweep_is_in_the_table() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `") or "Python 3.12" in line]
    table = "\n".join(rows)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        source = path.read_text(encoding="utf-8")
        if "mark.sweep" in source or re.search(r"\bsample: (Any|Sample)\b", source):
            assert path.stem in table or f"`{path.parent.name}`" in table, path
