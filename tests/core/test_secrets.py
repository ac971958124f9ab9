"""Secrets in configurations and messages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rlvr.core import secrets
from rlvr.core.secrets import excerpt, protect, scrubbed, scrubbed_answer, scrubbed_options


@pytest.fixture(autouse=True)
def _own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_secrets", {})
    monkeypatch.setattr(secrets, "_seen", {})


@pytest.mark.parametrize(
    "name",
    [
        "api_key", "apiKey", "API_KEY", "api-key", "judge_api_key", "hub_token", "hf_token", "token", "password", "db_password",
        "secret", "client_secret", "aws_secret_access_key", "Authorization", "credentials",
    ],
)  # fmt: skip
def test_an_option_that_holds_a_secret_is_known_by_its_name(name: str) -> None:
    value: Any = {
        name: "v4lue",
        "deep": [{name: ["v4lue"]}, f"{name}=v4lue", f'x={{"{name}": "v4lue"}}'],
    }
    assert "v4lue" not in json.dumps(scrubbed_options(value))


@pytest.mark.parametrize(
    "name",
    [
        "max_tokens", "eos_token", "pad_token", "stop_token_ids", "api_key_env", "keys", "answer_key", "sort_key", "keyword",
        "token_ids", "tokenizer", "passwords_file", "secretary", "key_name",
    ],
)  # fmt: skip
def test_other_options_keep_their_values(name: str) -> None:
    value = {name: "value", "more": [f"{name}=value", 3, None, True, f'x={{"{name}": [1, "a=b"]}}']}
    assert scrubbed_options(value) == value


def test_addresses_lose_what_is_secret_in_them_and_nothing_else() -> None:
    for text in ("http://host:80/a@b?x=1", "mail a@b.example", "1 = 2 & x", "https://[::1]/p#f"):
        assert scrubbed(text) == text
    assert scrubbed("at http://me:pw@host/x?a=1&api_key=pw#f") == (
        "at http://[secret]@host/x?a=1&api_key=[secret]#f"
    )
    text = "http://me:pw@host/?key=1 is what a model wrote"
    assert scrubbed_answer(text) == text


def test_variables_of_the_environment_are_secrets_by_their_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MY_SERVICE_TOKEN", "tok-0123456789abcdef")
    monkeypatch.setenv("SORT_KEY", "name")
    monkeypatch.setenv("SSH_PRIVATE_KEY", "/home/me/.ssh/id_rsa_0123")
    secrets.protect_environment()
    assert scrubbed_answer("tok-0123456789abcdef of name") == "[secret] of name"
    assert scrubbed("/home/me/.ssh/id_rsa_0123") == "/home/me/.ssh/id_rsa_0123"


def test_a_secret_is_told_from_a_placeholder_in_a_models_text() -> None:
    for key in ("abcdefghijklmnopqrstuvw", "QwErTyUiOp", "12345678", "pass-word-1", "sk-aaaa"):
        protect(key)
    for word in ("EMPTY", "password", "Anything", "none", "sk-1"):
        protect(word)
    text = "EMPTY passwords, Anything or none; sk-1"
    assert scrubbed_answer(text) == text
    assert scrubbed_answer("Authorization: Bearer EMPTY") == "Authorization: Bearer [secret]"
    hidden = scrubbed_answer("abcdefghijklmnopqrstuvw qwertyuiop x12345678x pass-word-1")
    assert hidden == "[secret] [secret] x[secret]x [secret]"
    assert scrubbed("EMPTY or sk-1 or sk-11") == "[secret] or [secret] or sk-11"


def test_a_secret_within_another_and_one_that_is_cut() -> None:
    for secret in ("k3y-part", "k3y-part-and-more", "other-9"):
        protect(secret)
    assert scrubbed("k3y-part-and-more, k3y-part other-9") == "[secret], [secret] [secret]"
    assert "k3y" not in excerpt("x" * 95 + "k3y-part-and-more", 100)
