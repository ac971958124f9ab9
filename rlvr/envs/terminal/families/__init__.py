"""The families of generated terminal tasks: each a function from a random generator and a level to a `Draft`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rlvr.core.errors import OptionError, nearest
from rlvr.envs.terminal.draft import Draft
from rlvr.envs.terminal.families import coding, records, texts, trees

FAMILIES: dict[str, Callable[[np.random.Generator, int], Draft]] = {
    function.__name__: function
    for function in (
        texts.find_file,
        texts.extract_ids,
        texts.log_report,
        records.merge_jsonl,
        records.csv_totals,
        records.migrate_config,
        records.recover_records,
        trees.organise_files,
        trees.repair_links,
        trees.nested_archive,
        trees.first_bad_build,
        coding.fix_script,
        coding.fix_package,
        coding.write_tool,
        coding.write_makefile,
    )
}
"""Each family's name and its generator."""


def chosen(family: str) -> tuple[str, ...]:
    """Return the names of families that an option means: one, several with commas between, or `all`.

    Raises `OptionError` for a name that there isn't.
    """
    if not isinstance(family, str):
        raise OptionError(
            f"family is a name, names with commas between, or all, not {family!r:.60}."
        )
    names = (
        tuple(FAMILIES) if family == "all" else tuple(name.strip() for name in family.split(","))
    )
    for name in names:
        if name not in FAMILIES:
            raise OptionError(
                f"There's no family {name!r:.40}. {nearest(name, [*FAMILIES, 'all'])}"
            )
    return names
