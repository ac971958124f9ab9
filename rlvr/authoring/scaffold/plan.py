"""The plan of a new package: its names and its template."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from rlvr.core.errors import OptionError, RegistrationError
from rlvr.core.registry import check_free

KINDS = ("single-turn", "multi-turn", "tools")
VERIFIERS = ("custom", "math", "code", "sql", "instructions", "judge")

_SENSELESS = {
    ("tools", "code"): (
        "programs run in the sandbox, and their results come back between turns: use "
        "--kind multi-turn"
    ),
    ("tools", "instructions"): (
        "instructions are about the form of a text, which no tool can tell: use --kind multi-turn"
    ),
}
_NO_ROWS = {
    "sql": "rlvr.make('sql', data=FILE, databases=FOLDER) reads such a file",
}


@dataclass(frozen=True)
class Plan:
    """The plan of a package.

    Attributes:
        name: the environment's name.
        kind: one of `KINDS`.
        verifier: one of `VERIFIERS`.
        from_rows: True if its tasks are rows of a file; otherwise a generator makes them.

    Raises `RegistrationError` if the name is invalid or taken, `OptionError` for an unknown kind or verifier, or a pair
    of them that makes no sense.
    """

    name: str
    kind: str = "single-turn"
    verifier: str = "custom"
    from_rows: bool = False

    def __post_init__(self) -> None:
        for option, value, choices in (
            ("kind", self.kind, KINDS),
            ("verifier", self.verifier, VERIFIERS),
        ):
            if value not in choices:
                raise OptionError(f"{option} is one of {', '.join(choices)}, not {value!r:.80}.")
        why = _SENSELESS.get((self.kind, self.verifier))
        if why is not None:
            raise OptionError(
                f"--kind {self.kind} and --verifier {self.verifier} don't go together: {why}."
            )
        if self.from_rows and self.kind != "single-turn":
            raise OptionError(
                f"--from makes single-turn environments: rows say nothing about turns or tools. "
                f"Start with --kind {self.kind} alone, and let its `problem` read your rows."
            )
        if self.from_rows and self.verifier in _NO_ROWS:
            raise OptionError(
                f"--from doesn't make environments of the verifier {self.verifier}: "
                f"{_NO_ROWS[self.verifier]}."
            )
        check_free(self.name)
        if importlib.util.find_spec(self.module) is not None:
            raise RegistrationError(
                f"There's a Python package {self.module!r} already: choose another name."
            )

    @property
    def module(self) -> str:
        """The package's name for Python's import."""
        return f"rlvr_{self.name}"

    @property
    def distribution(self) -> str:
        """The package's name for pip."""
        return self.module.replace("_", "-")

    @property
    def template(self) -> str:
        """The beginning of the names of its template files."""
        return f"{'rows' if self.from_rows else self.kind}.{self.verifier}"
