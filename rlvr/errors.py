"""The errors that rlvr raises on purpose; all are `RlvrError`s::

    try:
        env = rlvr.make("gsm9k")
    except rlvr.errors.UnknownEnvironmentError as error:
        print(error)  # There's no environment 'gsm9k'. Did you mean 'gsm8k'? …

`rlvr.core.errors` has the whole tree.
"""

from rlvr.core.errors import (
    BrokenEnvironmentError,
    CannotScore,
    DataError,
    DataWarning,
    JailError,
    LacksError,
    MissingExtraError,
    NoRewardError,
    OptionError,
    PoolError,
    RegistrationError,
    ResetNeededError,
    ResponseError,
    RewardError,
    RlvrError,
    SandboxError,
    TaskError,
    ToolError,
    TrainingError,
    UnknownEnvironmentError,
    WorkspaceFileError,
)

__all__ = [
    "BrokenEnvironmentError",
    "CannotScore",
    "DataError",
    "DataWarning",
    "JailError",
    "LacksError",
    "MissingExtraError",
    "NoRewardError",
    "OptionError",
    "PoolError",
    "RegistrationError",
    "ResetNeededError",
    "ResponseError",
    "RewardError",
    "RlvrError",
    "SandboxError",
    "TaskError",
    "ToolError",
    "TrainingError",
    "UnknownEnvironmentError",
    "WorkspaceFileError",
]
