"""The names of environments: from code, and for Gymnasium."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium
import pytest

import rlvr
from rlvr.core import registry
from rlvr.core.errors import (
    BrokenEnvironmentError,
    OptionError,
    RegistrationError,
    UnknownEnvironmentError,
)
from rlvr.core.registry import EnvironmentSpec, find, register


@pytest.fixture(autouse=True)
def _registries_as_before() -> Iterator[None]:
    ours, theirs = dict(registry._specs), dict(gymnasium.registry)
    yield
    registry._specs.clear()
    registry._specs.update(ours)
    gymnasium.registry.clear()
    gymnasium.registry.update(theirs)


def single(reference: str = "4") -> rlvr.SingleTurn:
    return rlvr.SingleTurn(rlvr.TaskSet([rlvr.Task("2+2?", reference)]), rlvr.Math())


def test_a_decorated_factory_is_an_environment_with_a_gymnasium_id() -> None:
    @rlvr.environment("two_and_two", version=3)
    def make(reference: str = "4") -> rlvr.Environment:
        """Two and two.

        And more.
        """
        return single(reference)

    env = rlvr.make("two_and_two", reference="5")
    assert env.name == "two_and_two"
    assert env.tasks[0].reference == "5"
    assert rlvr.make("rlvr/TwoAndTwo-v3").tasks[0].reference == "4"
    made = gymnasium.make("rlvr/TwoAndTwo-v3", reference="6")
    assert made.unwrapped.tasks[0].reference == "6"  # type: ignore[attr-defined]
    spec = find("two_and_two")
    assert (spec.summary, spec.origin, spec.version) == ("Two and two.", "code", 3)
    assert spec in rlvr.environments()
    assert make().tasks[0].reference == "4"  # the decorator hands the factory back


def test_a_gymnasium_name_of_its_own() -> None:
    rlvr.environment("two_and_two", gym_name="2And2")(single)
    assert find("rlvr/2And2-v0").name == "two_and_two"
    assert find("2And2").name == "two_and_two"


@pytest.mark.parametrize("name", ["gsm8k", "rlvr/GSM8K-v0", "GSM8K"])
def test_an_environment_is_found_by_each_of_its_names(name: str) -> None:
    assert find(name).gym_id == "rlvr/GSM8K-v0"


@pytest.mark.parametrize("name", ["gms8k", "gsm", "Gsm8K", "gsm8k-v0"])
def test_an_unknown_name_gets_the_nearest_ones(name: str) -> None:
    with pytest.raises(UnknownEnvironmentError, match=r"Did you mean .*'gsm8k'.*`rlvr list`"):
        rlvr.make(name)


def test_an_unknown_name_near_to_none_gets_them_all() -> None:
    with pytest.raises(LookupError, match=r"There are: .*arithmetic, .*gsm8k"):
        rlvr.make("zzzz")


def test_an_option_that_is_not_there_gets_the_nearest_one() -> None:
    with pytest.raises(
        OptionError, match=r"'arithmetic' has no option 'levl'. Did you mean 'level'"
    ):
        rlvr.make("arithmetic", levl=2)


def test_an_option_that_is_needed_is_named() -> None:
    @rlvr.environment("needy")
    def make(path: str, *, mode: str = "boxed", **others: Any) -> rlvr.Environment:
        return single(path)

    with pytest.raises(OptionError, match="'needy' needs the option 'path'"):
        rlvr.make("needy")
    assert rlvr.make("needy", path="5", anything=1).tasks[0].reference == "5"


@pytest.mark.parametrize("name", ["", "Anagram", "2and2", "two-and-two", "two and two", "rlvr/x"])
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    with pytest.raises(RegistrationError, match="lower-case letters"):
        rlvr.environment(name)(single)


@pytest.mark.parametrize(
    ("name", "near"), [("two-and-two", "two_and_two"), ("Anagram", "anagram"), ("2and2", "and2")]
)
def test_a_name_nearby_is_proposed(name: str, near: str) -> None:
    with pytest.raises(RegistrationError, match=f"'{near}' would do"):
        rlvr.environment(name)(single)


def test_code_may_replace_an_environment_and_no_id_of_the_old_one_stays() -> None:
    rlvr.environment("two_and_two", version=1)(single)
    rlvr.environment("two_and_two", version=2)(lambda: single("5"))
    assert rlvr.make("two_and_two").tasks[0].reference == "5"
    assert "rlvr/TwoAndTwo-v2" in gymnasium.registry
    assert "rlvr/TwoAndTwo-v1" not in gymnasium.registry


def test_two_packages_of_one_name_are_refused_and_the_first_stays() -> None:
    clash = EnvironmentSpec("gsm8k", "elsewhere:make", "Gsm8k", 0, "", "rlvr-elsewhere")
    with pytest.raises(RegistrationError, match=r"by rlvr and by rlvr-elsewhere. Uninstall"):
        register(clash)
    assert find("gsm8k").origin == "rlvr"


def test_registering_the_same_again_changes_nothing() -> None:
    register(find("gsm8k"))
    assert rlvr.make("arithmetic").name == "arithmetic"


def test_two_environments_cannot_have_one_gymnasium_id() -> None:
    with pytest.raises(RegistrationError, match=r"'rlvr/GSM8K-v0' of 'gsm8k'.*gym_name"):
        rlvr.environment("mine", gym_name="GSM8K")(single)
    assert gymnasium.make("rlvr/GSM8K-v0").unwrapped.name == "gsm8k"  # type: ignore[attr-defined]


def test_a_factory_that_returns_something_else_is_told() -> None:
    rlvr.environment("lazy")(lambda: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(BrokenEnvironmentError, match=r"'lazy' \(from code\) returned a NoneType"):
        rlvr.make("lazy")


def test_a_module_that_cannot_be_imported_is_named() -> None:
    register(EnvironmentSpec("broken", "no_such_module:make", "Broken", origin="rlvr-broken"))
    with pytest.raises(BrokenEnvironmentError, match=r"rlvr-broken.*no_such_module:make"):
        rlvr.make("broken")


def test_a_factory_without_a_docstring_has_its_modules_summary() -> None:
    rlvr.environment("single")(single)
    assert find("single").summary == "The names of environments: from code, and for Gymnasium."
    namespace: dict[str, Any] = {"single": single}
    exec("def make():\n    return single()", namespace)  # a factory of no module, as in a notebook
    rlvr.environment("nowhere")(namespace["make"])
    assert find("nowhere").summary == ""


def test_a_render_mode_that_is_none_is_refused() -> None:
    assert rlvr.make("arithmetic", render_mode="ansi").render_mode == "ansi"
    with pytest.raises(OptionError, match="render_mode is None or 'ansi', not 'human'"):
        rlvr.make("arithmetic", render_mode="human")
