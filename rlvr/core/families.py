"""Families: environments that a library brings by the dozen, named `family/member`.

Nothing of the library is imported before a member is made or its members are listed.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rlvr.core.errors import UnknownEnvironmentError, nearest
from rlvr.core.gymnasium_ids import publish

if TYPE_CHECKING:
    from rlvr.core.environment import Environment


@dataclass(frozen=True)
class Family:
    """Environments named `name/member`.

    Attributes:
        name: the part before the slash.
        module: has `members() -> list[str]` and `factory(member) -> Callable[..., Environment]`; both
            raise `MissingExtraError` if the library isn't installed.
        gym_name: the Gymnasium id is `rlvr/<gym_name>-v0`; its option `member` chooses the member.
        summary: one line for `rlvr list`.
    """

    name: str
    module: str
    gym_name: str
    summary: str

    @property
    def gym_id(self) -> str:
        """The id that `gymnasium.make` takes, with `member=…`."""
        return f"rlvr/{self.gym_name}-v0"

    def members(self) -> list[str]:
        """List the members' names, without the family's. Raises `MissingExtraError`."""
        names: list[str] = importlib.import_module(self.module).members()
        return names

    def factory(self, member: str) -> Callable[..., Environment]:
        """Return the factory of `name/member`. Raises `MissingExtraError`, `UnknownEnvironmentError`."""
        if member not in self.members():
            raise UnknownEnvironmentError(
                f"There's no environment {f'{self.name}/{member}'!r}. "
                f"{nearest(member, self.members())} `rlvr list {self.name}` shows all."
            )
        factory: Callable[..., Environment] = importlib.import_module(self.module).factory(member)
        return factory


_families: dict[str, Family] = {}


def register_family(family: Family) -> None:
    """Add a family, also to Gymnasium."""
    _families[family.name] = family
    publish(family.gym_id, "rlvr.core.registry:make_member", {"family": family.name})


def families() -> dict[str, Family]:
    """Return all registered families by name."""
    return dict(sorted(_families.items()))
