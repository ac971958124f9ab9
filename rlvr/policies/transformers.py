"""A model of the transformers library, generating in batches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rlvr.core.errors import DataError, MissingExtraError
from rlvr.policies.base import Generation, Request


class TransformersPolicy:
    """Answers with a causal language model and its tokenizer's chat template.

    Args:
        model: a local folder, a Hub id, or a loaded model; then `tokenizer` goes with it.
        max_new_tokens: of a response.
        temperature: 0 for greedy decoding.
        batch_size: requests generated for at once.

    Sampling depends on the seeds of a call's requests alone; torch's global random state is left
    as it was.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any = None,
        *,
        max_new_tokens: int = 512,
        temperature: float = 0.0,
        batch_size: int = 64,
    ) -> None:
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

    def respond(self, requests: Sequence[Request]) -> list[Generation]:
        """One response for each request."""
        import torch

        stream = np.random.SeedSequence([r.seed for r in requests]).generate_state(1, np.uint64)
        was_training = self.model.training
        self.model.eval()
        responses: list[Generation] = []
        try:
            with torch.no_grad(), torch.random.fork_rng():
                torch.manual_seed(int(stream[0]))
                for i in range(0, len(requests), self.batch_size):
                    responses += self._generate(requests[i : i + self.batch_size])
        finally:
            self.model.train(was_training)
        return responses

    def _generate(self, requests: Sequence[Request]) -> list[Generation]:
        encoded = self.tokenizer.apply_chat_template(
            [list(request.prompt) for request in requests],
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
        completions = output[:, encoded["input_ids"].shape[1] :].tolist()
        prompts: list[int] = encoded["attention_mask"].sum(1).tolist()
        return [self._generation(*pair) for pair in zip(completions, prompts, strict=True)]

    def _generation(self, ids: list[int], prompt_tokens: int) -> Generation:
        end = next((i for i, one in enumerate(ids) if one in self._ends), None)
        own = ids if end is None else ids[: end + 1]  # what follows is padding
        return Generation(
            self.tokenizer.decode(own, skip_special_tokens=True),
            "length" if end is None else "stop",
            prompt_tokens,
            len(own),
            tuple(own),
        )

    @property
    def _ends(self) -> set[int]:
        ends = self.model.generation_config.eos_token_id
        ends = ends if isinstance(ends, list) else [ends]
        return {end for end in [*ends, self.tokenizer.eos_token_id] if end is not None}


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
