"""The agreement of a verifier with people's labels, to be measured before it becomes a reward."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from rlvr.core.errors import DataError
from rlvr.core.task import Task
from rlvr.core.verdict import Scored
from rlvr.core.verifier import Verifier
from rlvr.runs.statistics import Estimate, Floats, bootstrap_of
from rlvr.scoring import score


@dataclass(frozen=True)
class Agreement:
    """The agreement of a verifier with labels.

    Attributes:
        kappa: Cohen's κ, the agreement beyond chance: at most 1, and 0 for chance. NaN if all examples
            or all verdicts are on one side.
        accuracy: the share of examples judged as labelled.
        false_passes: the number of passed examples that are labelled wrong; a policy would find these.
        false_refusals: the number of refused examples that are labelled right.
        judged: the number of examples with a verdict.
        unscored: the number of examples without a verdict, which count nowhere else.
    """

    kappa: Estimate
    accuracy: Estimate
    false_passes: int
    false_refusals: int
    judged: int
    unscored: int

    def __str__(self) -> str:
        return (
            f"κ {_shown(self.kappa)}, accuracy {_shown(self.accuracy)} on {self.judged} examples: "
            f"{self.false_passes} false passes, {self.false_refusals} false refusals; "
            f"{self.unscored} unscored"
        )


def agreement(
    verifier: Verifier,
    labelled: Iterable[tuple[Task, str, bool]],
    *,
    threshold: float = 0.5,
    seed: int = 0,
) -> Agreement:
    """Measure how well a verifier agrees with labels, with 95% intervals by a bootstrap over tasks::

        labelled = [(task, "\\\\boxed{42}", True), (task, "\\\\boxed{43}", False)]
        print(rlvr.agreement(rlvr.Math(), labelled))

    Cohen 1960, "A coefficient of agreement for nominal scales". Use it with a hundred examples or more,
    of both kinds, and among the wrong ones such as a policy would try.

    Args:
        verifier: an `rlvr.Judge`, or any other verifier.
        labelled: tasks, each with a response and True if the response is right.
        threshold: the least reward that counts as a pass.
        seed: the seed of the bootstrap.

    Raises `DataError` if there is no example, or a label is not a bool.
    """
    examples = list(labelled)
    if not examples:
        raise DataError("There are no labelled examples: each is (task, response, is_it_right).")
    for number, example in enumerate(examples, 1):
        if len(example) != 3 or not isinstance(example[2], bool | np.bool_):
            raise DataError(
                f"Example {number} isn't (task, response, is_it_right) with True or False at its end."
            )
    tasks, responses, labels = zip(*examples, strict=True)
    cells: dict[str, Floats] = {}  # of each task: passed and right, passed, right, all
    unscored = 0
    for task, label, verdict in zip(tasks, labels, score(tasks, responses, verifier), strict=True):
        if not isinstance(verdict, Scored):
            unscored += 1
            continue
        passed = verdict.reward >= threshold
        cell = np.array([passed and label, passed, label, 1.0], float)
        cells[task.id] = cells.get(task.id, np.zeros(4)) + cell
    table = np.array(list(cells.values())) if cells else np.zeros((1, 4))
    both, passed, right, judged = table.sum(0)
    return Agreement(
        kappa=bootstrap_of(table, _kappa, seed=seed),
        accuracy=bootstrap_of(table, _accuracy, seed=seed),
        false_passes=int(passed - both),
        false_refusals=int(right - both),
        judged=int(judged),
        unscored=unscored,
    )


def _accuracy(sums: Floats) -> Floats:
    both, passed, right, judged = sums.T
    accuracy: Floats = (judged - passed - right + 2 * both) / judged
    return accuracy


def _kappa(sums: Floats) -> Floats:
    _, passed, right, judged = sums.T
    chance = (passed * right + (judged - passed) * (judged - right)) / judged**2
    kappa: Floats = (_accuracy(sums) - chance) / (1 - chance)
    return kappa


def _shown(estimate: Estimate) -> str:
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"
