"""The names of environments: from code, from installed packages, and for Gymnasium.

An installed package names its environments in the entry-point group `rlvr.environments`::

    [project.entry-points."rlvr.environments"]
    anagram = "rlvr_anagram:make"         # or "anagram-v2" for version 2

The name is the environment's own. Nothing is imported until an environment is made.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import gymnasium

from rlvr.core.environment import Environment
from rlvr.core.errors import (
    BrokenEnvironmentError,
    MissingExtraError,
    OptionError,
    RegistrationError,
    UnknownEnvironmentError,
    nearest,
)
from rlvr.core.families import families

GROUP = "rlvr.environments"
Factory = TypeVar("Factory", bound=Callable[..., Environment])
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_VERSIONED = re.compile(r"(.*?)(?:-v(\d{1,9}))?", re.ASCII | re.DOTALL)


@dataclass(frozen=True)
class EnvironmentSpec:
    """How to make an environment.

    Attributes:
        name: what `rlvr.make` and the command line take.
        target: the factory, or `"module:factory"`, imported when first made.
        gym_name: its part of the Gymnasium id, `rlvr/<gym_name>-v<version>`.
        version: raised when tasks or rewards change.
        summary: one line for `rlvr list`.
        origin: `rlvr`, the distribution that brought it, or `code`.
    """

    name: str
    target: str | Callable[..., Environment]
    gym_name: str
    version: int = 0
    summary: str = ""
    origin: str = "code"

    @property
    def gym_id(self) -> str:
        """The id that `gymnasium.make` takes."""
        return f"rlvr/{self.gym_name}-v{self.version}"

    def load(self) -> Callable[..., Environment]:
        """The factory. Raises `BrokenEnvironmentError` where it can't be imported."""
        if not isinstance(self.target, str):
            return self.target
        module, _, attribute = self.target.partition(":")
        try:
            found: Callable[..., Environment] = getattr(importlib.import_module(module), attribute)
        except MissingExtraError:
            raise
        except Exception as error:
            raise BrokenEnvironmentError(
                f"The environment {self.name!r} (from {self.origin}) can't be loaded: "
                f"{type(error).__name__}: {error}. Its entry point is {self.target!r}."
            ) from error
        return found


_specs: dict[str, EnvironmentSpec] = {}


def register(spec: EnvironmentSpec) -> None:
    """Add an environment, also to Gymnasium. Registering a name again from code replaces it."""
    check_name(spec.name)
    there = _specs.get(spec.name)
    if there == spec:  # rlvr was reloaded
        return
    if there is not None and "code" not in (there.origin, spec.origin):
        raise RegistrationError(
            f"The environment {spec.name!r} is there twice: from {there.origin} and from "
            f"{spec.origin}. Uninstall one of them, or rename its entry point."
        )
    for other in _specs.values():
        if other.gym_id == spec.gym_id and other.name != spec.name:
            raise RegistrationError(
                f"{spec.name!r} would have the Gymnasium id {spec.gym_id!r} of {other.name!r}: "
                f"give it another name, or a gym_name of its own."
            )
    _specs[spec.name] = spec
    # An id that stayed behind would make the new version under the old one's number.
    gymnasium.registry.pop(spec.gym_id if there is None else there.gym_id, None)
    gymnasium.register(
        spec.gym_id,
        entry_point="rlvr.core.registry:make",
        kwargs={"environment": spec.name},
    )


def check_name(name: str) -> None:
    """Raise `RegistrationError` where no environment may be called that."""
    if not _NAME.fullmatch(name):
        raise RegistrationError(
            f"{name!r} can't name an environment: use lower-case letters, digits and "
            f"underscores, a letter first."
        )


def check_free(name: str) -> None:
    """Raise `RegistrationError` where no new environment may be called that, or one is already."""
    check_name(name)
    gym_id = EnvironmentSpec(name, "", _gym_name(name)).gym_id
    taken = {one.name: one.gym_id for one in _specs.values()}
    taken |= {one.name: one.gym_id for one in families().values()}
    if name in taken:
        raise RegistrationError(f"There's an environment {name!r} already: choose another name.")
    other = next((one for one, its_id in taken.items() if its_id == gym_id), None)
    if other is not None:
        raise RegistrationError(
            f"{name!r} would have the Gymnasium id {gym_id!r} of {other!r}: choose another name."
        )


def environment(
    name: str, version: int = 0, gym_name: str | None = None, summary: str | None = None
) -> Callable[[Factory], Factory]:
    """Register the decorated factory as the environment `name`.

    The summary is the first line of the factory's docstring, or of its module's.
    """
    if not isinstance(name, str):
        raise RegistrationError('An environment has a name: @rlvr.environment("anagram").')

    def decorate(factory: Factory) -> Factory:
        doc = summary or inspect.getdoc(factory) or _doc_of_module(factory)
        line = doc.strip().split("\n")[0]
        known = _specs.get(name)
        if known is not None and known.target == f"{factory.__module__}:{factory.__name__}":
            # It's being imported because it's registered already, by its package's entry point.
            if known.version != version:
                raise RegistrationError(
                    f"{name!r} is version {version} in the code and {known.version} in its entry "
                    f"point: name the entry point '{name}-v{version}'."
                )
            return factory
        register(EnvironmentSpec(name, factory, gym_name or _gym_name(name), version, line))
        return factory

    return decorate


def make(environment: str, **options: Any) -> Environment:
    """Make an environment by its name (`gsm8k`) or Gymnasium id (`rlvr/GSM8K-v0`).

    Raises `UnknownEnvironmentError` with the nearest names, `OptionError` for an option its
    factory doesn't take or one that it needs, `BrokenEnvironmentError` where what it made is none.
    """
    spec = find(environment)
    factory = spec.load()
    taken = inspect.signature(factory).parameters
    render_mode = options.pop("render_mode", None) if "render_mode" not in taken else None
    if not any(p.kind is p.VAR_KEYWORD for p in taken.values()):
        for option in options:
            if option not in taken:
                raise OptionError(
                    f"The environment {spec.name!r} has no option {option!r}. "
                    f"{nearest(option, taken)}"
                )
    for option, parameter in taken.items():
        by_name = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        if by_name and parameter.default is parameter.empty and option not in options:
            raise OptionError(f"The environment {spec.name!r} needs the option {option!r}.")
    made = factory(**options)
    if not isinstance(made, Environment):
        raise BrokenEnvironmentError(
            f"The factory of {spec.name!r} (from {spec.origin}) returned a {type(made).__name__}, "
            f"not an rlvr.Environment such as rlvr.SingleTurn."
        )
    made.name = spec.name
    made.made_with = dict(options)
    if render_mode is not None:
        if render_mode not in made.metadata["render_modes"]:
            raise OptionError(f"render_mode is None or 'ansi', not {render_mode!r}.")
        made.render_mode = render_mode
    return made


def make_member(family: str, member: str, **options: Any) -> Environment:
    """Make `family/member`: what a family's Gymnasium id leads to."""
    return make(f"{family}/{member}", **options)


def find(environment: str) -> EnvironmentSpec:
    """The spec of a name, of a family's `family/member`, or of a Gymnasium id.

    Raises `UnknownEnvironmentError` with the nearest names, and `MissingExtraError` where a family's
    library isn't installed.
    """
    if environment in _specs:
        return _specs[environment]
    name, slash, member = environment.partition("/")
    if slash and name in families():
        family = families()[name]
        factory = family.factory(member)
        return EnvironmentSpec(environment, factory, family.gym_name, 0, family.summary, name)
    for spec in _specs.values():
        if environment in (spec.gym_id, spec.gym_name):
            return spec
    raise UnknownEnvironmentError(
        f"There's no environment {environment!r}. {nearest(environment, [*_specs, *families()])} "
        f"`rlvr list` shows all."
    )


def environments() -> list[EnvironmentSpec]:
    """All that are registered, by name."""
    return sorted(_specs.values(), key=lambda spec: spec.name)


def register_installed() -> None:
    """Register what installed packages bring. A package that breaks the rules is warned about, never fatal."""
    if not _any_installed():
        return
    # Not at the top: with its e-mail parser it costs an eighth of `import gymnasium`.
    import importlib.metadata

    for point in importlib.metadata.entry_points(group=GROUP):
        match = _VERSIONED.fullmatch(point.name)
        assert match is not None  # it matches anything; `register` says what may be a name
        name, version = match.groups()
        origin = point.dist.name if point.dist is not None else point.value
        spec = EnvironmentSpec(name, point.value, _gym_name(name), int(version or 0), "", origin)
        try:
            register(spec)
        except RegistrationError as error:
            gymnasium.logger.warn("%s", error)  # a % in it is no format


def _any_installed() -> bool:
    """Whether any distribution on `sys.path` mentions the group at all, by reading the files alone."""
    for folder in dict.fromkeys(sys.path):
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for name in names:
            if name.endswith((".dist-info", ".egg-info")):
                try:
                    with open(os.path.join(folder, name, "entry_points.txt"), "rb") as points:
                        if GROUP.encode() in points.read():
                            return True
                except OSError:
                    continue
    return False


def _doc_of_module(factory: Callable[..., Any]) -> str:
    module = inspect.getmodule(factory)
    return (module.__doc__ if module is not None else None) or ""


def _gym_name(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))
