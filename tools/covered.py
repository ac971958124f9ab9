"""Print the share of the lines in one run's coverage that another run covers, too.

python tools/covered.py .coverage-gate .coverage-all
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from coverage import CoverageData

PACKAGE = Path(__file__).resolve().parents[1] / "rlvr"


def lines(file: str) -> set[tuple[str, int]]:
    """Return the executed lines of the package: path below it, and number."""
    data = CoverageData(file)
    data.read()
    executed = set()
    for path in data.measured_files():
        if Path(path).is_relative_to(PACKAGE):
            name = Path(path).relative_to(PACKAGE).as_posix()
            executed |= {(name, number) for number in data.lines(path) or ()}
    return executed


def main(part_file: str, whole_file: str) -> None:
    """Print the share of each room, and of all."""
    all_lines = lines(whole_file)
    shared_lines = lines(part_file) & all_lines
    rooms = Counter(name.partition("/")[0] for name, _ in all_lines)
    shared = Counter(name.partition("/")[0] for name, _ in shared_lines)
    for room, count in sorted(rooms.items()):
        print(f"{shared[room] / count:7.1%} of {count:6}  {room}")
    print(f"{len(shared_lines) / len(all_lines):7.1%} of {len(all_lines):6}  all")


if __name__ == "__main__":
    main(*sys.argv[1:])
