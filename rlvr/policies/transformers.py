"""A model of the transformers library, generating in batches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rlvr.core.errors import DataError, MissingExtraError, OptionError
from rlvr.core.task import Task


class TransformersPolicy:
    """Answers with a causal language model and its tokenizer's chat template.

    Args:
        model: a local folder, a Hub id, or a loaded model; then `tokenizer` goes with it.
        max_new_tokens: of a response.
        temperature: 0 for greedy decoding.
        batch_size: tasks generated for at once.
        seed: of sampling: the same calls in the same order get the same responses. Torch's global
            random state is left as it was.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any = None,
        *,
        max_new_tokens: int = 512,
        temperature: float = 0.0,
        batch_size: int = 64,
        seed: int = 0,
    ) -> None:
        if seed < 0:
            raise OptionError(f"seed is at least 0, not {seed}.")
        if isinstance(model, str):
            self.name = model
            model, tokenizer = _load(model)
        else:
            self.name = type(model).__name__
        self.model = model
        self.tokenizer = tokenizer
        self.max_new_tokens = max_new_tokens
        self.temperature = temperature
        self.batch_size = batch_size
        self.seed = seed
        self._calls = 0

    def respond(self, tasks: Sequence[Task]) -> list[str]:
        """One response for each task, special tokens left out."""
        import torch

        was_training = self.model.training
        self.model.eval()
        responses: list[str] = []
        # A stream for each call: with one seed for all, each batch of a task set, and each sample of
        # a task, would be drawn with the same random numbers.
        stream = np.random.SeedSequence((self.seed, self._calls)).generate_state(1, np.uint64)
        self._calls += 1
        try:
            with torch.no_grad(), torch.random.fork_rng():
                torch.manual_seed(int(stream[0]))
                for i in range(0, len(tasks), self.batch_size):
                    responses += self._generate(tasks[i : i + self.batch_size])
        finally:
            self.model.train(was_training)
        return responses

    def _generate(self, tasks: Sequence[Task]) -> list[str]:
        encoded = self.tokenizer.apply_chat_template(
            [list(task.prompt) for task in tasks],
            add_generation_prompt=True,
            padding=True,
            padding_side="left",
            return_tensors="pt",
            return_dict=True,
        ).to(self.model.device)
        sampling = (
            {"do_sample": True, "temperature": self.temperature, "top_k": 0, "top_p": 1.0}
            if self.temperature > 0
            else {"do_sample": False}
        )
        output = self.model.generate(
            input_ids=encoded["input_ids"],
            attention_mask=encoded["attention_mask"],
            max_new_tokens=self.max_new_tokens,
            pad_token_id=self.tokenizer.pad_token_id,
            **sampling,
        )
        completions = output[:, encoded["input_ids"].shape[1] :]
        decoded: list[str] = self.tokenizer.batch_decode(completions, skip_special_tokens=True)
        return decoded


def _load(name: str) -> tuple[Any, Any]:
    try:
        import torch
        import transformers
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise MissingExtraError(
            "A local model needs torch and transformers: pip install 'rlvr[train]'."
        ) from error
    folder = Path(name).expanduser()
    if name.startswith((".", "/", "~")) and not (folder / "config.json").is_file():
        what = "no config.json in" if folder.is_dir() else "no folder"
        raise DataError(f"There's {what} {name!r}. A model's folder has config.json and weights.")
    transformers.logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
        model = AutoModelForCausalLM.from_pretrained(name)
    except (OSError, ValueError) as error:
        why = " ".join(str(error).split())  # theirs has many lines
        raise DataError(
            f"The model {name!r} can't be loaded: {why:.300}. Give a local folder with "
            f"config.json, weights and tokenizer, or the id of a model on the Hub."
        ) from error
    if tokenizer.chat_template is None:
        raise DataError(f"The tokenizer of {name!r} has no chat template, so it can't be prompted.")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model.to("cuda" if torch.cuda.is_available() else "cpu"), tokenizer
