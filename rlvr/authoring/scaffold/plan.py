"""What a new package is to be: its names, and which template it's made from."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from rlvr.core.errors import OptionError, RegistrationError
from rlvr.core.registry import check_free

KINDS = ("single-turn", "multi-turn", "tools")
VERIFIERS = ("custom", "math", "code", "sql", "instructions", "judge")

_SENSELESS = {
    ("tools", "code"): (
        "running programs is what the sandbox does, and its say comes back between turns: take "
        "--kind multi-turn"
    ),
    ("tools", "instructions"): (
        "instructions are about the form of a text, which no tool can find out: take --kind "
        "multi-turn"
    ),
}
_NO_ROWS = {
    "sql": "rlvr.make('sql', data=FILE, databases=FOLDER) takes such a file as it is",
}


@dataclass(frozen=True)
class Plan:
    """A package to be written.

    Attributes:
        name: the environment's.
        kind: one of `KINDS`.
        verifier: one of `VERIFIERS`.
        from_rows: whether its tasks are rows of a file; else a generator makes them.

    Raises `RegistrationError` where the name can't be one or is taken, `OptionError` where there's no
    such kind or verifier, or where they don't go together.
    """

    name: str
    kind: str = "single-turn"
    verifier: str = "custom"
    from_rows: bool = False

    def __post_init__(self) -> None:
        for what, value, known in (
            ("kind", self.kind, KINDS),
            ("verifier", self.verifier, VERIFIERS),
        ):
            if value not in known:
                raise OptionError(f"{what} is one of {', '.join(known)}, not {value!r:.80}.")
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
        """Of the package, as Python imports it."""
        return f"rlvr_{self.name}"

    @property
    def distribution(self) -> str:
        """Of the package, as pip installs it."""
        return self.module.replace("_", "-")

    @property
    def template(self) -> str:
        """The beginning of its templates' names."""
        return f"{'rows' if self.from_rows else self.kind}.{self.verifier}"
