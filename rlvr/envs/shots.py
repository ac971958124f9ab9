r"""Prompts with worked examples (k-shot), drawn from the train split or published with a benchmark.

    rlvr.make("gsm8k", split="test", shots=5)             # five problems of train, as turns
    rlvr.make("gsm8k", split="test", prompt="gsm8k_cot")  # the published 8-shot prompt, as one text

The published formats are those of lm-evaluation-harness 0.4.13 (`lm_eval/tasks/gsm8k/gsm8k-cot.yaml`,
`gsm8k/gsm8k.yaml` and `minerva_math/utils.py`), rendered as its `fewshot_context` does: an example is the
question, a space and the answer, and two line breaks separate examples. The examples of `gsm8k_cot` are the
chains of thought of Wei et al. (arXiv:2201.11903), those of `minerva_math` are of Lewkowycz et al. (arXiv:2206.14858).
`gsm8k` draws its examples from train; the harness draws others for each problem, this module the same for all.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from rlvr.core.environment import Environment
from rlvr.core.errors import DataError, OptionError
from rlvr.core.task import Message
from rlvr.envs.prompt import Prompt, fill
from rlvr.verifiers.extraction import Mode, in_form

ShotsAs: TypeAlias = Literal["turns", "text"]
PromptOption: TypeAlias = Prompt | str | Mapping[str, str]

_SPARE = 24  # further examples, for tasks that are near-duplicates of a drawn one
_NEAR = 0.7  # of the words of two questions together; numbers count as equal


class Shot(NamedTuple):
    """A worked example.

    Attributes:
        question: the problem.
        solution: its worked solution, with the answer in whatever form the data has it; may be empty.
        answer: the answer alone.
        id: the example's task id, for the record.
        raw: the solution as the data set has it, for formats that show it unchanged.
    """

    question: str
    solution: str
    answer: str
    id: str
    raw: str = ""


@dataclass(frozen=True)
class ShotFormat:
    """A published way to prompt with examples.

    Attributes:
        question: the template of a question.
        stop: the strings at which responses end, since a base model goes on with a question of its own.
        mode: where the answer is looked for.
        shots: the number of examples.
        examples: the examples that belong to the format, as questions and answers; empty if it draws them from train.
    """

    question: str
    stop: tuple[str, ...]
    mode: Mode
    shots: int
    examples: tuple[tuple[str, str], ...] = ()


class FewShotPrompt:
    """A prompt with examples, as an environment's options describe it.

    Attributes:
        mode: where the answer is looked for: the option's value, or the format's.
        stop: the strings at which responses should end; none unless the format has some.

    Args:
        prompt: a template, or the name of one of `formats`.
        formats: the published formats of the environment, by name.
        field: the name of the problem in templates.
        shots: the number of examples; None for the format's own number, or none.
        shots_as: `turns` of a conversation or one `text`; None for text with a published format, otherwise turns.
        shots_seed: the seed of the draw from train.
        mode: the option's value; None for the format's mode, or boxed.
    """

    def __init__(
        self,
        prompt: PromptOption,
        formats: Mapping[str, ShotFormat],
        field: str,
        shots: int | None = None,
        shots_as: ShotsAs | None = None,
        shots_seed: int = 0,
        mode: Mode | None = None,
    ) -> None:
        self._name = prompt if isinstance(prompt, str) and prompt in formats else None
        self._format = formats[self._name] if self._name is not None else None
        self._template = Prompt(self._format.question) if self._format else Prompt.of(prompt)
        if not self._template.has_field(field):
            named = f"; the published ones are {', '.join(formats)}" if formats else ""
            raise OptionError(
                f"The prompt {self._template.user[:60]!r} has no {{{field}}}, so it wouldn't show the "
                f"problem{named}."
            )
        self._field = field
        self._seed = _whole("shots_seed", shots_seed)
        own = self._format.shots if self._format else 0
        self.count = own if shots is None else _whole("shots", shots)
        self._as = shots_as or ("text" if self._format else "turns")
        if self._as not in get_args(ShotsAs):
            raise OptionError(f"shots_as is 'turns' or 'text', not {shots_as!r}.")
        fixed = self._format.examples if self._format else ()
        if fixed and self.count > len(fixed):
            raise OptionError(f"The prompt {self._name!r} has {len(fixed)} examples, not {shots}.")
        self.mode: Mode = mode or (self._format.mode if self._format else "boxed")
        self.stop = self._format.stop if self._format else ()
        self._pool: list[tuple[str, str, str, frozenset[str]]] = [
            (question, answer, f"{self._name}-{i}", frozenset())
            for i, (question, answer) in enumerate(fixed[: self.count])
        ]
        self.draws = self.count > 0 and not fixed

    def draw(self, train: Callable[[], Sequence[Shot]]) -> None:
        """Draw the examples from the train split, which is read only if there are any to draw.

        Raises `OptionError` if the split has fewer problems than examples are asked for.
        """
        if not self.draws:
            return
        rows = train()
        if len(rows) < self.count:
            raise OptionError(
                f"There are {len(rows)} problems to draw {self.count} examples (shots) from."
            )
        places = random.Random(self._seed).sample(
            range(len(rows)), min(len(rows), self.count + _SPARE)
        )
        self._pool = [
            (shot.question, self._answer(shot), shot.id, _words(shot.question))
            for shot in (rows[place] for place in places)
        ]

    def messages(self, question: str) -> list[Message]:
        """Return the messages that ask a question, behind the examples.

        Drawn examples that are the question itself or nearly so are replaced by further ones.
        Raises `DataError` if too few others were drawn.
        """
        asked = self._template.render({self._field: question})
        shots = self._shots(question)
        if not shots:
            return asked
        *system, user = asked
        shown = [
            (fill(self._template.user, {self._field: example}), answer) for example, answer in shots
        ]
        if self._as == "turns":
            turns = [
                {"role": role, "content": content}
                for pair in shown
                for role, content in zip(("user", "assistant"), pair, strict=True)
            ]
            return [*system, *turns, user]
        between = " " if self._format else "\n\n"
        texts = [f"{example}{between}{answer}" for example, answer in shown]
        return [*system, {"role": "user", "content": "\n\n".join([*texts, user["content"]])}]

    def metadata(self, question: str) -> dict[str, str]:
        """Return what a task's metadata say if its message holds more than its own question."""
        return {"question": question} if self.count and self._as == "text" else {}

    @property
    def is_default(self) -> bool:
        """True if prompts are as the environment's fixtures have them: boxed, without examples."""
        return self.mode == "boxed" and not self.count and self._format is None

    def attached(self, env: Environment) -> Environment:
        """Return the environment with this prompt as its `prompting`, for a run's record and its stop strings."""
        env.prompting = self  # type: ignore[attr-defined]
        return env

    def to_json(self) -> dict[str, Any]:
        """Return the resolved settings, for a run's record."""
        record: dict[str, Any] = {"mode": self.mode, "shots": self.count}
        if self._name is not None:
            record["format"] = self._name
        if self.count:
            record["shots_as"] = self._as
            record["examples"] = [id for _, _, id, _ in self._pool[: self.count]]
        if self.draws:
            record["shots_seed"] = self._seed
        if self.stop:
            record["stop"] = list(self.stop)
        return record

    def _shots(self, question: str) -> list[tuple[str, str]]:
        if not self.draws:
            return [(example, answer) for example, answer, _, _ in self._pool]
        words = _words(question)
        usable = [(q, answer) for q, answer, _, theirs in self._pool if not _is_near(words, theirs)]
        if len(usable) < self.count:
            raise DataError(
                f"Too few of the examples that were drawn differ from {question[:80]!r}: ask for fewer "
                f"shots, or draw from more problems."
            )
        return usable[: self.count]

    def _answer(self, shot: Shot) -> str:
        if self._format:
            return shot.raw or shot.solution
        return worked(shot.solution, shot.answer, self.mode)


def prompting_of(env: Environment) -> FewShotPrompt | None:
    """Return how an environment prompts; None if it has no such options."""
    prompting = getattr(env, "prompting", None)
    return prompting if isinstance(prompting, FewShotPrompt) else None


def shots_data(data: str | None) -> str | None:
    """Return where the train split is read if the tasks come from `data`: a file is of the tasks alone."""
    return data if data is not None and Path(data).is_dir() else None


def worked(solution: str, answer: str, mode: Mode) -> str:
    """Return a worked solution that ends with the answer in the form that a mode of extraction finds."""
    if mode == "whole":
        return answer
    if mode == "boxed":
        if "\\boxed" in solution or "\\fbox" in solution:
            return solution
        end = in_form(answer, mode)
    elif mode == "minerva":
        end = in_form(answer.replace("\n", " "), mode)
    else:
        end = f"The answer is {answer}."
    return f"{solution}\n{end}" if solution else end


def _whole(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise OptionError(f"{name} is a whole number from 0, not {value!r}.")
    return value


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", re.sub(r"\d+", "0", text.casefold())))


def _is_near(words: frozenset[str], other: frozenset[str]) -> bool:
    shorter, longer = sorted((len(words), len(other)))
    if shorter < _NEAR * longer:
        return False
    return len(words & other) >= _NEAR * len(words | other)


_WEI = (
    ('There are 15 trees in the grove. Grove workers will plant trees in the grove today. After they are done, there will be 21 trees. How many trees did the grove workers plant today?',
     'There are 15 trees originally. Then there were 21 trees after some more were planted. So there must have been 21 - 15 = 6. The answer is 6.'),
    ('If there are 3 cars in the parking lot and 2 more cars arrive, how many cars are in the parking lot?',
     'There are originally 3 cars. 2 more cars arrive. 3 + 2 = 5. The answer is 5.'),
    ('Leah had 32 chocolates and her sister had 42. If they ate 35, how many pieces do they have left in total?',
     'Originally, Leah had 32 chocolates. Her sister had 42. So in total they had 32 + 42 = 74. After eating 35, they had 74 - 35 = 39. The answer is 39.'),
    ('Jason had 20 lollipops. He gave Denny some lollipops. Now Jason has 12 lollipops. How many lollipops did Jason give to Denny?',
     'Jason started with 20 lollipops. Then he had 12 after giving some to Denny. So he gave Denny 20 - 12 = 8. The answer is 8.'),
    ('Shawn has five toys. For Christmas, he got two toys each from his mom and dad. How many toys does he have now?',
     'Shawn started with 5 toys. If he got 2 toys each from his mom and dad, then that is 4 more toys. 5 + 4 = 9. The answer is 9.'),
    ('There were nine computers in the server room. Five more computers were installed each day, from monday to thursday. How many computers are now in the server room?',
     'There were originally 9 computers. For each of 4 days, 5 more computers were added. So 5 * 4 = 20 computers were added. 9 + 20 is 29. The answer is 29.'),
    ('Michael had 58 golf balls. On tuesday, he lost 23 golf balls. On wednesday, he lost 2 more. How many golf balls did he have at the end of wednesday?',
     'Michael started with 58 golf balls. After losing 23 on tuesday, he had 58 - 23 = 35. After losing 2 more, he had 35 - 2 = 33 golf balls. The answer is 33.'),
    ('Olivia has $23. She bought five bagels for $3 each. How much money does she have left?',
     'Olivia had 23 dollars. 5 bagels for 3 dollars each will be 5 x 3 = 15 dollars. So she has 23 - 15 dollars left. 23 - 15 is 8. The answer is 8.'),
)  # fmt: skip
_MINERVA = (
    ('Find the domain of the expression  $\\frac{\\sqrt{x-2}}{\\sqrt{5-x}}$.',
     'The expressions inside each square root must be non-negative. Therefore, $x-2 \\ge 0$, so $x\\ge2$, and $5 - x \\ge 0$, so $x \\le 5$. Also, the denominator cannot be equal to zero, so $5-x>0$, which gives $x<5$. Therefore, the domain of the expression is $\\boxed{[2,5)}$.\nFinal Answer: The final answer is $[2,5)$. I hope it is correct.'),
    ('If $\\det \\mathbf{A} = 2$ and $\\det \\mathbf{B} = 12,$ then find $\\det (\\mathbf{A} \\mathbf{B}).$',
     'We have that $\\det (\\mathbf{A} \\mathbf{B}) = (\\det \\mathbf{A})(\\det \\mathbf{B}) = (2)(12) = \\boxed{24}.$\nFinal Answer: The final answer is $24$. I hope it is correct.'),
    ('Terrell usually lifts two 20-pound weights 12 times. If he uses two 15-pound weights instead, how many times must Terrell lift them in order to lift the same total weight?',
     'If Terrell lifts two 20-pound weights 12 times, he lifts a total of $2\\cdot 12\\cdot20=480$ pounds of weight.  If he lifts two 15-pound weights instead for $n$ times, he will lift a total of $2\\cdot15\\cdot n=30n$ pounds of weight.  Equating this to 480 pounds, we can solve for $n$:\n\\begin{align*}\n30n&=480\\\\\n\\Rightarrow\\qquad n&=480/30=\\boxed{16}\n\\end{align*}\nFinal Answer: The final answer is $16$. I hope it is correct.'),
    ('If the system of equations\n\n\\begin{align*}\n6x-4y&=a,\\\\\n6y-9x &=b.\n\\end{align*}has a solution $(x, y)$ where $x$ and $y$ are both nonzero,\nfind $\\frac{a}{b},$ assuming $b$ is nonzero.',
     'If we multiply the first equation by $-\\frac{3}{2}$, we obtain\n\n$$6y-9x=-\\frac{3}{2}a.$$Since we also know that $6y-9x=b$, we have\n\n$$-\\frac{3}{2}a=b\\Rightarrow\\frac{a}{b}=\\boxed{-\\frac{2}{3}}.$$\nFinal Answer: The final answer is $-\\frac{2}{3}$. I hope it is correct.'),
)  # fmt: skip

_ENDS = ("</s>", "<|im_end|>")
GSM8K_FORMATS = {
    "gsm8k_cot": ShotFormat("Q: {question}\nA:", ("Q:", *_ENDS), "flexible", 8, _WEI),
    "gsm8k_5shot": ShotFormat(
        "Question: {question}\nAnswer:", ("Question:", *_ENDS), "flexible", 5
    ),
}
"""The published prompts of GSM8K: the harness's tasks `gsm8k_cot` and `gsm8k`."""

MATH_FORMATS = {
    "minerva_math": ShotFormat(
        "Problem:\n{problem}\n\nSolution:", ("Problem:",), "minerva", 4, _MINERVA
    ),
}
"""The published prompt of MATH: the harness's tasks `minerva_math`."""
