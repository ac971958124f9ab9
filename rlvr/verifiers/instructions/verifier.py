"""`Instructions` judges if a response follows every instruction that a program can check.

Example, from IFEval: the reference `{"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}`
and a response without commas.

Cheap checks are settled in the caller's thread; those that need a tokenizer, a tagger or a language
detector run in a worker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from rlvr.core.blame import working_on
from rlvr.core.errors import CannotScore, MissingExtraError, OptionError
from rlvr.core.faults import raised
from rlvr.core.task import Task
from rlvr.core.thinking import after_thinking
from rlvr.core.verdict import Scored, Status, Unscored, Verdict, status_of
from rlvr.core.verifier import Verifier
from rlvr.verifiers.instructions import registry
from rlvr.verifiers.instructions.kwargs import Judge, wrong
from rlvr.verifiers.instructions.registry import Check, find
from rlvr.verifiers.instructions.resources import MissingResource
from rlvr.verifiers.instructions.text import ResponseText, variants

Strictness: TypeAlias = Literal["strict", "loose"]
Reward: TypeAlias = Literal["all", "fraction"]
_INLINE_LENGTH = 20_000  # characters of a response that is judged in the caller's thread
_SENTENCE = "This is a sentence. Here is another one."
_FORM = '{"instruction_id_list": [id, …], "kwargs": [{…}, …]}'


@dataclass(frozen=True, slots=True)
class Wanted:
    """One instruction of a task.

    Attributes:
        check: the check with its id.
        kwargs: the checked kwargs.
        name: its component's name: the id, numbered from the second occurrence on.
    """

    check: Check
    kwargs: dict[str, Any]
    name: str

    @property
    def request(self) -> str:
        """The request and its id, for feedback."""
        return f"[{self.name}] {self.check.sentence(self.kwargs)}"


def read(reference: Any) -> tuple[Wanted, ...]:
    """Return the instructions of a reference. Raises `CannotScore(gold)` for an invalid one."""
    if not isinstance(reference, Mapping):
        raise wrong(f"a reference of instructions is {_FORM}, not {reference!r:.80}.")
    ids, kwargs = reference.get("instruction_id_list"), reference.get("kwargs")
    if not isinstance(ids, list | tuple) or not ids:
        raise wrong(f"a reference of instructions is {_FORM}; this one names no instruction.")
    if kwargs is None:
        kwargs = [{}] * len(ids)
    if not isinstance(kwargs, list | tuple) or len(kwargs) != len(ids):
        raise wrong(f"{len(ids)} instructions need a list of as many kwargs, not {kwargs!r:.80}.")
    seen: Counter[str] = Counter()
    instructions = []
    for id, values in zip(ids, kwargs, strict=True):
        check = find(id)
        if values is not None and not isinstance(values, Mapping):
            raise wrong(f"{id}: kwargs are an object or null, not {values!r:.80}.")
        seen[check.id] += 1
        name = check.id if seen[check.id] == 1 else f"{check.id}#{seen[check.id]}"
        instructions.append(Wanted(check, check.bound(values or {}), name))
    return tuple(instructions)


class Instructions(Verifier):
    """Pays for a response that follows the instructions in `task.reference`::

        reference = {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
        task = rlvr.Task("Greet me, without commas.", reference)
        rlvr.score([task], ["Good morning to you."], rlvr.Instructions())

    The reference is `{"instruction_id_list": [id, …], "kwargs": [{…}, …]}`, as in IFEval's and IFBench's
    data; kwargs that are null count as not given. The thinking part isn't judged.

    Args:
        mode: `strict` judges the response as it is. `loose` accepts it if one of eight variants
            follows: the response, without its first line, its last, both, and these without asterisks.
        reward: `all` pays for all instructions together or nothing; `fraction` pays their share.
        reference_bugs: judge as the published checkers do, faults included (docs/instructions_parity.md
            lists them), thinking part and all. Nothing is drawn at random.
    """

    name = "instructions"
    version = 3
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
        """Raise `OptionError` for an unknown value of an option."""
        for name, choices in (("mode", get_args(Strictness)), ("reward", get_args(Reward))):
            if getattr(self, name) not in choices:
                value = getattr(self, name)
                raise OptionError(f"{name} is one of {', '.join(choices)}, not {value!r:.80}.")
        if not isinstance(self.reference_bugs, bool):
            raise OptionError(f"reference_bugs is true or false, not {self.reference_bugs!r:.80}.")

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Register authors' checks in a worker, where their modules may not be imported."""
        self.__dict__.update(state)
        for check in self.added:
            registry.add(check)

    def before_sending(self) -> None:
        """Take authors' checks along: a new value of an attribute goes to the workers."""
        if self.added is not registry.added():
            self.added = registry.added()

    def prepare(self, tasks: Iterable[Task]) -> dict[str, Any]:
        """Check a sentence by each kind of instruction in the tasks.

        Raises `MissingExtraError` if one needs a package or data that this machine lacks, however few tasks have it.
        """
        tried: set[str] = set()
        for task in tasks:
            try:
                wanted = read(task.reference)
            except CannotScore:
                continue  # the verdict on this task will say so
            for item in wanted:
                if item.check.id in tried:
                    continue
                tried.add(item.check.id)
                try:
                    self._function(item.check)(variants(_SENTENCE)[0], **item.kwargs)
                except MissingResource as error:
                    raise MissingExtraError(
                        f"Some tasks can't be judged on this machine, such as {task.id} with "
                        f"{item.check.id}: {error.message}"
                    ) from error
                except Exception:  # an author's check that fails is a verdict's matter, too
                    continue
        return {}

    def settle(self, task: Task, response: str) -> Verdict | None:
        """Return the verdict if all checks are cheap and the response is short, or the reference is invalid."""
        try:
            wanted = read(task.reference)
        except CannotScore as error:
            return raised(self.name, error)
        if len(response) > _INLINE_LENGTH or not all(map(self._is_cheap, wanted)):
            return None
        return self._judge(wanted, response)

    def verify(self, task: Task, response: str) -> Verdict:
        """Return the verdict on any response. Raises `CannotScore` for an invalid reference."""
        working_on("reference")
        wanted = read(task.reference)
        working_on("response")
        return self._judge(wanted, response)

    def demonstrate(self, task: Task) -> str | None:
        """Return a text that follows all of them, if rlvr composes tasks of them."""
        from rlvr.verifiers.instructions.composing import satisfying

        try:
            wanted = read(task.reference)
        except CannotScore:
            return None
        return satisfying([item.check.id for item in wanted], [item.kwargs for item in wanted])

    def _is_cheap(self, item: Wanted) -> bool:
        deviation = item.check.deviation if self.reference_bugs else None
        return deviation.cheap if deviation else item.check.cheap

    def _judge(self, wanted: tuple[Wanted, ...], response: str) -> Verdict:
        answer = response if self.reference_bugs else _answer(response)
        texts = variants(answer) if answer.strip() else ()
        strict, loose = [], []
        try:
            for item in wanted:
                check = self._function(item.check)
                strict.append(bool(texts) and check(texts[0], **item.kwargs))
                if self.mode == "loose":
                    rest = (check(text, **item.kwargs) for text in texts[1:])
                    loose.append(strict[-1] or any(rest))
        except CannotScore as error:
            return Unscored(error.cause, error.message, {"instruction": item.name})
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
        parts = {item.name: float(ok) for item, ok in zip(wanted, followed, strict=True)}
        missed = [item.request for item, ok in zip(wanted, followed, strict=True) if not ok]
        feedback = "Not followed: " + " ".join(missed) if missed else ""
        status = status_of(reward) if reward else Status.INCORRECT
        shown = {name: values for name, values in detail.items() if values}
        return Scored(reward, status, {self.name: reward, **parts}, feedback, shown)


def _answer(response: str) -> str:
    """Return the response without its thinking part."""
    answer = after_thinking(response)
    return answer if answer == response else answer.strip()


def judge(text: str, id: str, **kwargs: Any) -> bool:
    """Return whether one text follows one instruction, to try a check out.

    Raises `CannotScore` for a wrong id or wrong kwargs.
    """
    check = registry.find(id)
    return bool(text.strip()) and bool(check.function(ResponseText(text), **check.bound(kwargs)))
