from __future__ import annotations

import inspect
import pickle

import gymnasium
import pytest

from rlvr.core import errors
from rlvr.core.errors import CannotScore, RlvrError, nearest
from rlvr.core.verdict import Cause

STANDARD = {
    "UnknownEnvironmentError": LookupError,
    "BrokenEnvironmentError": ImportError,
    "RegistrationError": ValueError,
    "MissingExtraError": ImportError,
    "TaskError": ValueError,
    "DataError": ValueError,
    "OptionError": ValueError,
    "NoRewardError": TypeError,
    "RewardError": ValueError,
    "ResponseError": TypeError,
    "ToolError": ValueError,
    "ResetNeededError": gymnasium.error.ResetNeeded,
    "PoolError": RuntimeError,
    "SandboxError": RuntimeError,
    "LacksError": RuntimeError,
    "TrainingError": RuntimeError,
    "JailError": RuntimeError,
    "WorkspaceFileError": RuntimeError,
    "CannotScore": RuntimeError,
}
CLASSES = [
    found
    for _, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, RlvrError) and found is not RlvrError
]


def test_every_error_is_in_the_table_above() -> None:
    assert {found.__name__ for found in CLASSES} == set(STANDARD)


@pytest.mark.parametrize("kind", CLASSES)
def test_each_is_of_the_standard_type_a_caller_would_catch(kind: type[RlvrError]) -> None:
    assert issubclass(kind, STANDARD[kind.__name__])


@pytest.mark.parametrize("kind", CLASSES)
def test_each_says_when_it_is_raised(kind: type[RlvrError]) -> None:
    assert kind.__doc__
    assert kind.__doc__ != RlvrError.__doc__


@pytest.mark.parametrize("kind", CLASSES)
def test_each_crosses_a_process_border_whole(kind: type[RlvrError]) -> None:
    error = CannotScore(Cause.GOLD, "why") if kind is CannotScore else kind("why")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error)
    assert "why" in str(again)
    assert vars(again) == vars(error)


def test_a_fault_in_a_verifier_has_its_cause() -> None:
    fault = pickle.loads(pickle.dumps(CannotScore(Cause.JUDGE, "no answer")))
    assert fault.cause is Cause.JUDGE
    assert fault.message == "no answer"
    assert str(fault) == "judge: no answer"


def test_the_nearest_names_or_all_of_them() -> None:
    assert nearest("gms8k", ["gsm8k", "arithmetic"]) == "Did you mean 'gsm8k'?"
    assert nearest("GSM8K", ["gsm8k", "arithmetic"]) == "Did you mean 'gsm8k'?"
    assert nearest("zzz", ["gsm8k", "arithmetic"]) == "There are: arithmetic, gsm8k."
    assert nearest("gsm8", ["gsm8k", "gsm8k"]) == "Did you mean 'gsm8k'?"
    assert nearest("zzz", []) == "There are none."
