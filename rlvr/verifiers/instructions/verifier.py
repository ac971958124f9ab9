"""`Instructions`: whether a response follows every instruction that a program can check.

Example, from IFEval: the reference `{"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}`
and a response without commas.

What is cheap is settled in the caller's thread; what needs a tokenizer, a tagger or a language
detector is judged in a worker.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, get_args

from rlvr.core.blame import working_on
from rlvr.core.errors import CannotScore, OptionError
from rlvr.core.faults import raised
from rlvr.core.task import Task
from rlvr.core.verdict import Scored, Status, Unscored, Verdict, status_of
from rlvr.core.verifier import Verifier
from rlvr.verifiers.extraction import after_thinking
from rlvr.verifiers.instructions import registry
from rlvr.verifiers.instructions.kwargs import Judge
from rlvr.verifiers.instructions.reference import Wanted, read
from rlvr.verifiers.instructions.registry import (
    Check,
)
from rlvr.verifiers.instructions.text import Text, variants

Strictness: TypeAlias = Literal["strict", "loose"]
Reward: TypeAlias = Literal["all", "fraction"]
_INLINE_LENGTH = 20_000  # characters of a response that is judged in the caller's thread


class Instructions(Verifier):
    """Rewards a response that follows the instructions in `task.reference`.

    The reference is `{"instruction_id_list": [id, …], "kwargs": [{…}, …]}`, as in IFEval's and IFBench's
    data; kwargs that are null count as not given. What comes before the last `</think>` isn't looked at.

    Args:
        mode: `strict` judges the response as it is. `loose` is content where one of eight variants
            follows: it, without its first line, its last, both, and these without asterisks.
        reward: `all` pays for all instructions together or nothing; `fraction` pays their share.
        reference_bugs: judge as the published checkers do, faults included (docs/instructions.md has
            them), thinking part and all. What they draw at random is never drawn.
    """

    name = "instructions"
    version = 1
    limit_s = 10.0
    options = ("mode", "reward", "reference_bugs")

    def __init__(
        self, mode: Strictness = "strict", reward: Reward = "all", reference_bugs: bool = False
    ) -> None:
        self.mode = mode
        self.reward = reward
        self.reference_bugs = reference_bugs
        self.added: tuple[Check, ...] = ()
        self.check_options()

    def check_options(self) -> None:
        """Raise `OptionError` where an option's value isn't one of its own."""
        for name, known in (("mode", get_args(Strictness)), ("reward", get_args(Reward))):
            if getattr(self, name) not in known:
                given = getattr(self, name)
                raise OptionError(f"{name} is one of {', '.join(known)}, not {given!r:.80}.")
        if not isinstance(self.reference_bugs, bool):
            raise OptionError(f"reference_bugs is true or false, not {self.reference_bugs!r:.80}.")

    def __setstate__(self, state: dict[str, Any]) -> None:
        """In a worker: authors' checks come along, for their modules may not be imported there."""
        self.__dict__.update(state)
        for check in self.added:
            registry.add(check)

    def before_sending(self) -> None:
        """Take authors' checks along: a new value of an attribute goes to the workers."""
        if self.added is not registry.added():
            self.added = registry.added()

    def settle(self, task: Task, response: str) -> Verdict | None:
        """The verdict where all checks are cheap and the response isn't long, or the reference is wrong."""
        try:
            wanted = read(task.reference)
        except CannotScore as error:
            return raised(self.name, error)
        if len(response) > _INLINE_LENGTH or not all(map(self._is_cheap, wanted)):
            return None
        return self._judge(wanted, response)

    def verify(self, task: Task, response: str) -> Verdict:
        """The verdict on any response. Raises `CannotScore` for a reference that can't be used."""
        working_on("reference")
        wanted = read(task.reference)
        working_on("response")
        return self._judge(wanted, response)

    def demonstrate(self, task: Task) -> str | None:
        """A text that follows all of them, where they're of those that rlvr composes tasks of."""
        from rlvr.verifiers.instructions.composing import satisfying

        try:
            wanted = read(task.reference)
        except CannotScore:
            return None
        return satisfying([one.check.id for one in wanted], [one.kwargs for one in wanted])

    def _is_cheap(self, one: Wanted) -> bool:
        deviation = one.check.deviation if self.reference_bugs else None
        return deviation.cheap if deviation else one.check.cheap

    def _judge(self, wanted: tuple[Wanted, ...], response: str) -> Verdict:
        said = response if self.reference_bugs else _answer(response)
        texts = variants(said) if said.strip() else ()
        strict, loose = [], []
        try:
            for one in wanted:
                check = self._function(one.check)
                strict.append(bool(texts) and check(texts[0], **one.kwargs))
                if self.mode == "loose":
                    rest = (check(text, **one.kwargs) for text in texts[1:])
                    loose.append(strict[-1] or any(rest))
        except CannotScore as error:
            return Unscored(error.cause, error.message, {"instruction": one.name})
        followed = loose if self.mode == "loose" else strict
        return self._verdict(wanted, followed, {"strict": strict, "loose": loose})

    def _function(self, check: Check) -> Judge:
        if self.reference_bugs and check.deviation is not None:
            return check.deviation.function
        return check.function

    def _verdict(
        self, wanted: tuple[Wanted, ...], followed: list[bool], detail: Mapping[str, list[bool]]
    ) -> Scored:
        share = sum(followed) / len(followed)
        reward = share if self.reward == "fraction" else float(share == 1.0)
        parts = {one.name: float(ok) for one, ok in zip(wanted, followed, strict=True)}
        missed = [one.told for one, ok in zip(wanted, followed, strict=True) if not ok]
        said = "" if not missed else "Not followed: " + " ".join(missed)
        status = status_of(reward) if reward else Status.INCORRECT
        shown = {name: values for name, values in detail.items() if values}
        return Scored(reward, status, {self.name: reward, **parts}, said, shown)


def _answer(response: str) -> str:
    """Without the thinking part, where there's one."""
    said = after_thinking(response)
    return said if said == response else said.strip()


def judge(text: str, id: str, **kwargs: Any) -> bool:
    """Whether one text follows one instruction, here and now. For trying a check out.

    Raises `CannotScore` where the id or the kwargs are wrong.
    """
    check = registry.find(id)
    return bool(text.strip()) and bool(check.function(Text(text), **check.bound(kwargs)))
