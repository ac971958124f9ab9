"""The names of environments: from code, from installed packages, and for Gymnasium.

An installed package names its environments in the entry-point group `rlvr.environments`::

    [project.entry-points."rlvr.environments"]
    anagram = "rlvr_anagram:make"         # or "anagram-v2" for version 2

The name is the environment's own. Nothing is imported until an environment is made. Modules that are in no
package are listed in the variable `RLVR_ENVIRONMENTS`, and imported when a name isn't known otherwise.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rlvr.core.entry_points import any_installed, entry_points
from rlvr.core.environment_file import find_in_file
from rlvr.core.errors import (
    BrokenEnvironmentError,
    MissingExtraError,
    OptionError,
    RegistrationError,
    RlvrError,
    UnknownEnvironmentError,
    nearest,
)
from rlvr.core.families import families
from rlvr.core.faults import described
from rlvr.core.gymnasium_ids import publish, warn, withdraw

if TYPE_CHECKING:
    from rlvr.core.environment import Environment

GROUP = "rlvr.environments"
NAMED = "RLVR_ENVIRONMENTS"
"""The environment variable that lists modules that register environments, separated by commas."""
Factory = TypeVar("Factory", bound="Callable[..., Environment]")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_FILE = re.compile(r"(.+\.py)(?::(\w+))?", re.DOTALL)
_VERSIONED = re.compile(r"(.*?)(?:-v(\d{1,9}))?", re.ASCII | re.DOTALL)


@dataclass(frozen=True)
class EnvironmentSpec:
    """An entry of the registry: it makes an environment.

    Attributes:
        name: the name that `rlvr.make` and the command line take.
        target: the factory, or `"module:factory"`, imported when first made.
        gym_name: its part of the Gymnasium id, `rlvr/<gym_name>-v<version>`.
        version: raised when tasks or rewards change.
        summary: one line for `rlvr list`.
        origin: `rlvr`, the distribution that brought it, or `code`.
        installed: True if it comes from the entry point of an installed package; it can't replace another.
    """

    name: str
    target: str | Callable[..., Environment]
    gym_name: str
    version: int = 0
    summary: str = ""
    origin: str = "code"
    installed: bool = False

    @property
    def built_in(self) -> bool:
        """True if it comes with rlvr."""
        return self.origin == "rlvr" and not self.installed

    @property
    def gym_id(self) -> str:
        """The id that `gymnasium.make` takes."""
        return f"rlvr/{self.gym_name}-v{self.version}"

    def load(self) -> Callable[..., Environment]:
        """Return the factory. Raises `BrokenEnvironmentError` if it can't be imported."""
        if not isinstance(self.target, str):
            return self.target
        module, _, attribute = self.target.partition(":")
        try:
            factory: Callable[..., Environment] = getattr(
                importlib.import_module(module), attribute
            )
        except (MissingExtraError, KeyboardInterrupt):
            raise
        except BaseException as error:  # a SystemExit would end the caller, and look like success
            raise BrokenEnvironmentError(
                f"The environment {self.name!r} (from {self.origin}) can't be loaded: "
                f"{type(error).__name__}: {str(error).rstrip('.')}. Its entry point is {self.target!r}."
            ) from error
        return factory


_specs: dict[str, EnvironmentSpec] = {}


def register(spec: EnvironmentSpec) -> None:
    """Add an environment, also to Gymnasium.

    Registering a name again from code replaces it, except environments that come with rlvr or by the entry point
    of another package.
    """
    check_name(spec.name)
    there = _specs.get(spec.name)
    if there == spec:  # rlvr was reloaded
        return
    if there is not None and not _may_replace(spec, there):
        hint = (
            "Uninstall one of them, or rename its entry point."
            if spec.origin != "code" or spec.installed
            else "Choose another name."
        )
        raise RegistrationError(
            f"The environment {spec.name!r} is registered twice: by {there.origin} and by "
            f"{spec.origin}. {hint} The one of {there.origin} is used."
        )
    for other in _specs.values():
        if other.gym_id == spec.gym_id and other.name != spec.name:
            raise RegistrationError(
                f"{spec.name!r} would have the Gymnasium id {spec.gym_id!r} of {other.name!r}: "
                f"give it another name, or a gym_name of its own."
            )
    _specs[spec.name] = spec
    # An id that stayed behind would make the new version under the old one's number.
    if there is not None:
        withdraw(there.gym_id)
    publish(spec.gym_id, "rlvr.core.registry:make", {"environment": spec.name})


def _may_replace(spec: EnvironmentSpec, there: EnvironmentSpec) -> bool:
    if spec.installed or spec.origin != "code" or there.built_in:
        return False
    # A package's own code may register what its entry point named; no other one's.
    return not there.installed or _package(spec) == _package(there)


def _package(spec: EnvironmentSpec) -> str:
    target = spec.target if isinstance(spec.target, str) else spec.target.__module__
    return target.partition(":")[0].partition(".")[0]


def check_name(name: str) -> None:
    """Raise `RegistrationError` if no environment may have that name."""
    if not _NAME.fullmatch(name):
        near = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_").lstrip("_0123456789")
        hint = f" {near!r} would do." if _NAME.fullmatch(near) else ""
        raise RegistrationError(
            f"{name!r} can't name an environment: use lower-case letters, digits and "
            f"underscores, a letter first.{hint}"
        )


def check_free(name: str) -> None:
    """Raise `RegistrationError` if no environment may have that name, or one has it already."""
    check_name(name)
    gym_id = EnvironmentSpec(name, "", _gym_name(name)).gym_id
    taken = {spec.name: spec.gym_id for spec in _specs.values()}
    taken |= {family.name: family.gym_id for family in families().values()}
    if name in taken:
        raise RegistrationError(f"There's an environment {name!r} already: choose another name.")
    other = next((taken_name for taken_name, taken_id in taken.items() if taken_id == gym_id), None)
    if other is not None:
        raise RegistrationError(
            f"{name!r} would have the Gymnasium id {gym_id!r} of {other!r}: choose another name."
        )


def environment(
    name: str, version: int = 0, gym_name: str | None = None, summary: str | None = None
) -> Callable[[Factory], Factory]:
    """Register the decorated factory as the environment `name`::

        @rlvr.environment("anagram", version=1)
        def make(split="train", level=3):
            tasks = rlvr.generated(puzzle, split=split, level=level)
            return rlvr.SingleTurn(tasks, verifier=anagram)

    The summary is the first line of the factory's docstring, or of its module's.
    """
    if not isinstance(name, str):
        raise RegistrationError('An environment needs a name: @rlvr.environment("anagram").')

    def decorate(factory: Factory) -> Factory:
        doc = summary or inspect.getdoc(factory) or _doc_of_module(factory)
        line = doc.strip().split("\n")[0]
        registered = _specs.get(name)
        if (
            registered is not None
            and registered.target == f"{factory.__module__}:{factory.__name__}"
        ):
            # The module is being imported because its package's entry point has registered it already.
            if registered.version != version:
                raise RegistrationError(
                    f"{name!r} is version {version} in the code and {registered.version} in its entry "
                    f"point: name the entry point '{name}-v{version}' in pyproject.toml, "
                    f"and install the package again (pip install -e FOLDER)."
                )
            return factory
        register(EnvironmentSpec(name, factory, gym_name or _gym_name(name), version, line))
        return factory

    return decorate


def make(environment: str, **options: Any) -> Environment:
    """Make an environment by its name (`gsm8k`) or Gymnasium id (`rlvr/GSM8K-v0`)::

        env = rlvr.make("gsm8k", split="test")

    Raises `UnknownEnvironmentError` with the nearest names, `OptionError` for an option that its
    factory doesn't take or one that is missing, `BrokenEnvironmentError` if the factory doesn't return
    an environment.
    """
    from rlvr.core.environment import Environment

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
    try:
        env = factory(**options)
    except SystemExit as error:
        raise BrokenEnvironmentError(
            f"The factory of {spec.name!r} (from {spec.origin}) called sys.exit({error.code!r:.80})."
        ) from error
    except (RlvrError, OSError):
        raise
    except Exception as error:
        if spec.built_in:
            raise
        raise BrokenEnvironmentError(
            f"The factory of {spec.name!r} (from {spec.origin}) raised {described(error)}."
        ) from error
    if not isinstance(env, Environment):
        raise BrokenEnvironmentError(
            f"The factory of {spec.name!r} (from {spec.origin}) returned a {type(env).__name__}, "
            f"not an rlvr.Environment such as rlvr.SingleTurn."
        )
    env.name = spec.name
    env.made_with = dict(options)
    if render_mode is not None:
        if render_mode not in env.metadata["render_modes"]:
            raise OptionError(f"render_mode is None or 'ansi', not {render_mode!r}.")
        env.render_mode = render_mode
    return env


def make_member(family: str, member: str, **options: Any) -> Environment:
    """Make `family/member`. A family's Gymnasium id calls this."""
    return make(f"{family}/{member}", **options)


def find(environment: str) -> EnvironmentSpec:
    """Return the spec of a name, of a family's `family/member`, of a Gymnasium id, or of `FILE.py[:name]`.

    Raises `UnknownEnvironmentError` with the nearest names, and `MissingExtraError` if a family's
    library isn't installed.
    """
    if environment in _specs:
        return _specs[environment]
    if ".py" in environment and (match := _FILE.fullmatch(environment)) is not None:
        return find_in_file(Path(match[1]), match[2], _specs.values())
    name, slash, member = environment.partition("/")
    if slash and name in families():
        family = families()[name]
        factory = family.factory(member)
        return EnvironmentSpec(environment, factory, family.gym_name, 0, family.summary, name)
    for spec in _specs.values():
        if environment in (spec.gym_id, spec.gym_name):
            return spec
    if import_named():
        return find(environment)
    file = Path(f"{environment.partition(':')[0]}.py")
    hint = f" A file is an environment by its path: {file}." if file.is_file() else ""
    raise UnknownEnvironmentError(
        f"There's no environment {environment!r}. {nearest(environment, [*_specs, *families()])} "
        f"`rlvr list` shows all.{hint}"
    )


def environments() -> list[EnvironmentSpec]:
    """Return all registered environments, sorted by name::

        [spec.name for spec in rlvr.environments()]

    Environments of installed packages are among them.
    """
    return sorted(_specs.values(), key=lambda spec: spec.name)


def register_installed() -> None:
    """Register the environments of installed packages. A package that breaks the rules causes a warning only."""
    if not any_installed(GROUP):
        return
    for point, origin in entry_points(GROUP):
        match = _VERSIONED.fullmatch(point.name)
        assert match is not None  # it matches anything; `register` says what may be a name
        name, version = match.groups()
        spec = EnvironmentSpec(
            name, point.value, _gym_name(name), int(version or 0), "", origin, installed=True
        )
        try:
            register(spec)
        except RegistrationError as error:
            warn(str(error))


_named: set[str] = set()  # modules imported because `NAMED` lists them


def import_named() -> bool:
    """Import the modules that the user lists in `RLVR_ENVIRONMENTS`. Returns True if one was new."""
    new = [
        name for name in os.environ.get(NAMED, "").replace(",", " ").split() if name not in _named
    ]
    for name in new:
        _named.add(name)
        try:
            importlib.import_module(name)
        except (MissingExtraError, KeyboardInterrupt):
            raise
        except BaseException as error:
            _named.discard(name)
            raise BrokenEnvironmentError(
                f"The module {name!r}, which {NAMED} names, can't be imported: "
                f"{type(error).__name__}: {error}."
            ) from error
    return bool(new)


def _doc_of_module(factory: Callable[..., Any]) -> str:
    module = inspect.getmodule(factory)
    return (module.__doc__ if module is not None else None) or ""


def _gym_name(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))
