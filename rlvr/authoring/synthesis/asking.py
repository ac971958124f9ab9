"""Ask policies, synchronous and asynchronous ones, and keep each answer on disk as it comes."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

from rlvr.core.files import Appender, drop_torn_end, read_lines
from rlvr.policies.base import (
    AsyncPolicy,
    Generation,
    Policy,
    PolicyError,
    Request,
    StreamPolicy,
    name_of,
    seed_of,
)

T = TypeVar("T")
_BATCH = 64
_MOST_ERRORS = 24


@dataclass(frozen=True, slots=True)
class Question:
    """A request whose answers are kept under a key.

    Attributes:
        key: the same for the same request in a resumed run.
        request: the request.
        samples: the number of answers.
    """

    key: str
    request: Request
    samples: int = 1


class Answers:
    """The answers that a run has so far: by key and sample, in memory and in a file.

    Attributes:
        asked: the number of answers that policies gave in this process.
        prompt_tokens, completion_tokens: their tokens together, as far as they are known.
    """

    def __init__(self, path: Path | None) -> None:
        self._rows: dict[tuple[str, int], Generation] = {}
        self._file: Appender | None = None
        self.asked = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        if path is None:
            return
        drop_torn_end(path)
        for line in read_lines(path, noun="an answer"):
            row = line.row
            self._keep(row["key"], row["sample"], _generation_of(row))
        self._file = Appender(path)

    def get(self, key: str, sample: int) -> Generation | None:
        """Return an answer, or None."""
        return self._rows.get((key, sample))

    def put(self, key: str, sample: int, answer: Generation) -> None:
        """Keep an answer. One that is an error is kept in memory alone: a resumed run asks again."""
        self.asked += 1
        self._keep(key, sample, answer)
        if self._file is not None and answer.stop != "error":
            self._file.write(
                {
                    "key": key,
                    "sample": sample,
                    "text": answer.text,
                    "stop": answer.stop,
                    "prompt_tokens": answer.prompt_tokens,
                    "completion_tokens": answer.completion_tokens,
                }
            )

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _keep(self, key: str, sample: int, answer: Generation) -> None:
        self._rows[key, sample] = replace(answer, token_ids=None, logprobs=None)
        self.prompt_tokens += answer.prompt_tokens or 0
        self.completion_tokens += answer.completion_tokens or 0


class Asker:
    """Asks one policy, as many requests at a time as it takes.

    Args:
        policy: a `Policy` or an `AsyncPolicy`.
        concurrency: requests at a time of an asynchronous policy (default: its own).
    """

    def __init__(self, policy: Any, answers: Answers, concurrency: int | None = None) -> None:
        self.name = name_of(policy)
        self._policy = policy
        self._answers = answers
        own: int = getattr(policy, "concurrency", 1)
        self._concurrency = concurrency or own
        self._loop: _Loop | None = None
        self._started = False
        self._errors = 0  # in a row

    def ask(self, questions: Sequence[Question]) -> list[list[Generation]]:
        """Return the answers to each question. Those that are kept already aren't asked for again.

        Raises `PolicyError` if the policy can't go on, or after many errors in a row.
        """
        missing = [
            question
            for question in questions
            if any(self._answers.get(question.key, i) is None for i in range(question.samples))
        ]
        if missing:
            if hasattr(self._policy, "generate"):
                self._run(self._ask_all(missing))
            else:
                self._ask_batches(missing)
            self._check_answered(missing)
        return [
            [cast(Generation, self._answers.get(q.key, i)) for i in range(q.samples)]
            for q in questions
        ]

    def close(self) -> None:
        """Close the policy's connections, if it has any."""
        if self._loop is not None:
            close = getattr(self._policy, "aclose", None)
            if close is not None:
                self._loop.run(close())
            self._loop.close()
            self._loop = None

    def _check_answered(self, questions: Sequence[Question]) -> None:
        """Raise `PolicyError` after many errors in a row, so that a server that is away costs no candidates."""
        for question in questions:
            for sample in range(question.samples):
                answer = self._answers.get(question.key, sample)
                assert answer is not None
                self._errors = self._errors + 1 if answer.stop == "error" else 0
                if self._errors >= _MOST_ERRORS:
                    raise PolicyError(
                        f"The policy {self.name!r} gave no answer to {self._errors} requests in a row: {answer.error}"
                    )

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            self._loop = _Loop()
        return self._loop.run(work)

    async def _ask_all(self, questions: Sequence[Question]) -> None:
        policy = cast(AsyncPolicy, self._policy)
        start = getattr(policy, "start", None)
        if not self._started and start is not None:
            await start()  # raises if there's no server, before anything is asked
        self._started = True
        waiting = iter(questions)

        async def serve() -> None:
            for question in waiting:  # shared with the other workers
                samples = self._missing(question)
                request = _with_seed(question, samples[0])
                responses = await policy.generate(request, len(samples))
                self._put_all([(question.key, i) for i in samples], responses)

        workers = [
            asyncio.create_task(serve()) for _ in range(min(self._concurrency, len(questions)))
        ]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    def _ask_batches(self, questions: Sequence[Question]) -> None:
        places = [(q, i) for q in questions for i in self._missing(q)]
        while places:
            size = getattr(self._policy, "window", None) or getattr(
                self._policy, "batch_size", None
            )
            batch, places = places[: size or _BATCH], places[size or _BATCH :]
            requests = [_with_seed(question, i) for question, i in batch]
            keys = [(question.key, i) for question, i in batch]
            if _streams(self._policy):
                for part in cast(StreamPolicy, self._policy).stream(requests):
                    self._put_all([keys[at] for at, _ in part], [answer for _, answer in part])
                continue
            responses = cast(Policy, self._policy).respond(requests)
            if inspect.isawaitable(responses):
                responses = self._run(_awaited(responses))
            self._put_all(keys, responses)

    def _missing(self, question: Question) -> list[int]:
        return [i for i in range(question.samples) if self._answers.get(question.key, i) is None]

    def _put_all(self, keys: Sequence[tuple[str, int]], responses: Any) -> None:
        if isinstance(responses, str | Generation) or not hasattr(responses, "__len__"):
            raise PolicyError(
                f"The policy {self.name!r} gave a {type(responses).__name__} for {len(keys)} requests: it returns a "
                f"list with a response for each."
            )
        if len(responses) != len(keys):
            raise PolicyError(
                f"The policy {self.name!r} gave {len(responses)} responses for {len(keys)} requests."
            )
        for (key, sample), response in zip(keys, responses, strict=True):
            if not isinstance(response, str | Generation):
                raise PolicyError(
                    f"The policy {self.name!r} gave a {type(response).__name__}; a response is a str or a Generation."
                )
            answer = response if isinstance(response, Generation) else Generation(response)
            self._answers.put(key, sample, answer)


class _Loop:
    """An event loop in a thread of its own, so that connections outlive one call, also in a notebook."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="rlvr-synthesis", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end. An interrupt of this thread cancels it."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Stop the loop."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _with_seed(question: Question, sample: int) -> Request:
    if sample == 0:
        return question.request
    return replace(question.request, seed=seed_of(question.request.seed, "sample", sample))


def _streams(policy: Any) -> bool:
    for cls in type(policy).__mro__:
        if "respond" in vars(cls) or "stream" in vars(cls):
            return "stream" in vars(cls)
    return False


async def _awaited(responses: Any) -> Any:
    return await responses


def _generation_of(row: dict[str, Any]) -> Generation:
    return Generation(
        row["text"],
        row["stop"],
        prompt_tokens=row.get("prompt_tokens"),
        completion_tokens=row.get("completion_tokens"),
    )
