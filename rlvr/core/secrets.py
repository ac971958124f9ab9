"""The API keys and passwords of this process, and how to keep them out of everything that is written.

A server may repeat a key in an error, a log or even a model's answer: as it is, escaped for JSON or a
URL, or in Base64. `protect` makes a secret known, `scrubbed` takes all known ones out of a message, and
`scrubbed_answer` out of a model's text. Files of runs are scrubbed once more as they are written.
"""

from __future__ import annotations

import base64
import html
import json
import os
import re
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from typing import Any

from rlvr.core.errors import OptionError

HIDDEN = "[secret]"
"""Replaces each secret."""

_LEAST = 4
_WORD = 20  # characters: below, letters alone may be a word
_SHORT = 8  # characters: below, a word of some text may well be the same by chance
# Not every token: `eos_token` is none.
_NAMES = re.compile(
    r"(?:^|_)(?:(?:api|access|secret|private|auth|judge)_?key|(?:api|access|auth|hub|hf|bearer|session)_?token"
    r"|secret|password|passwd|passphrase|credentials?|authorization)$|^(?:key|token)$"
)
_VARIABLES = re.compile(r"(?:^|_)(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE)$")
_USER = re.compile(r"(?<=://)[^/?#\s\"']*@")
_QUERY = re.compile(
    r"([?&;](?:[\w-]*[_-])?(?:api_?key|key|token|secret|password|passwd|sig|signature)=)[^&#\s\"']+",
    re.I,
)


class _Secret:
    """One secret with all forms in which it's looked for.

    Attributes:
        text: the secret itself.
        placeholder: a plain word such as `EMPTY`, or shorter than 8 characters. A model's own text may
            hold it by chance, so it's only taken out of that behind `Bearer`.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        word = text.isalpha() and (text.islower() or text.isupper() or text.istitle())
        self.placeholder = len(text) < _SHORT or (word and len(text) < _WORD)
        forms = _forms(text)
        bounded = r"(?<!\w)(?:{})(?!\w)" if len(text) < _SHORT else "(?:{})"
        either = "|".join(map(re.escape, sorted(forms, key=len, reverse=True)))
        self._lower = tuple({form.lower() for form in forms})
        self._pattern = re.compile(bounded.format(either), re.IGNORECASE)
        behind = rf"((?:Bearer|Basic)[\s:\"']+)(?:{either})(?!\w)"
        self._answer = re.compile(behind, re.IGNORECASE) if self.placeholder else self._pattern

    def hidden(self, text: str, lower: str, answer: bool) -> str:
        if not any(form in lower for form in self._lower):
            return text
        if answer and self.placeholder:
            return self._answer.sub(lambda match: match.group(1) + HIDDEN, text)
        return self._pattern.sub(HIDDEN, text)


_secrets: dict[str, _Secret] = {}
_seen: dict[str, str] = {}  # variables of the environment that were looked at


def protect(secret: str | None) -> None:
    """Make a secret known for as long as this process lives; one of three characters is none."""
    if secret and len(secret.strip()) >= _LEAST and secret not in _secrets:
        _secrets[secret] = _Secret(secret)


def protect_environment() -> None:
    """Make known the keys in variables such as `HF_TOKEN`, and the passwords of proxies."""
    for name, value in os.environ.items():
        if _VARIABLES.search(name.upper()) and _seen.get(name) != value:
            _seen[name] = value
            # `SORT_KEY=name` and `PRIVATE_KEY=/home/me/key.pem` are no secrets.
            if (
                len(value) >= 2 * _SHORT
                and not value.isalpha()
                and not re.search(r"\s|^[./~]", value)
            ):
                protect(value)
    for url in urllib.request.getproxies().values():
        user, at, _ = url.rpartition("@")
        if at:
            _, _, password = user.rpartition("//")[2].partition(":")
            protect(password)
            protect(urllib.parse.unquote(password))


def api_key(variable: str) -> str | None:
    """Return the API key in a variable of the environment, made known; None if there's none.

    Raises `OptionError` if no header can hold it.
    """
    return checked_key(os.environ.get(variable), f"the variable {variable}")


def checked_key(key: str | None, where: str) -> str | None:
    """Return a key without the spaces and line ends around it, made known."""
    if key is None or not key.strip():
        return None
    protect(key.strip())
    if not re.fullmatch(r"[\x21-\x7e]+", key.strip()):
        raise OptionError(
            f"The API key in {where} has a space, a line end or a character beyond ASCII in it, which "
            f"no header can have: is it the key alone?"
        )
    return key.strip()


def scrubbed(text: str) -> str:
    """Return a message without known secrets, and without users and keys in addresses."""
    if "://" in text or "=" in text:
        text = _QUERY.sub(rf"\1{HIDDEN}", _USER.sub(f"{HIDDEN}@", text))
    return _without(text, answer=False)


def excerpt(value: object, most: int) -> str:
    """Return the beginning of a value as text, without secrets. Cut first, half of a secret would stay."""
    return scrubbed(str(value))[:most]


def scrubbed_answer(text: str) -> str:
    """Return a model's text without known secrets, and otherwise unchanged."""
    return _without(text, answer=True)


def scrubbed_data(value: Any) -> Any:
    """Return JSON data with each text in it scrubbed as a model's."""
    if isinstance(value, str):
        return scrubbed_answer(value)
    if isinstance(value, Mapping):
        return {scrubbed_data(k): scrubbed_data(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [scrubbed_data(item) for item in value]
    return value


def scrubbed_options(value: Any) -> Any:
    """Return a configuration that may be written down.

    It has no known secrets, and no values of options whose names say that they hold one (`api_key`,
    `hub_token`), in a mapping or as NAME=VALUE.
    """
    if isinstance(value, str):
        name, equals, setting = value.partition("=")
        if equals and setting and is_secret(name):
            return f"{name}={HIDDEN}"
        if setting.lstrip().startswith(("{", "[")):
            try:
                return f"{name}={json.dumps(scrubbed_options(json.loads(setting)))}"
            except (ValueError, RecursionError):
                pass
        return scrubbed(value)
    if isinstance(value, Mapping):
        return {name: _scrubbed_option(name, item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [scrubbed_options(item) for item in value]
    return value


def is_secret(name: str) -> bool:
    """Return whether an option of that name holds a key or a password. `api_key_env` names a variable instead."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip())
    return _NAMES.search(words.lower().replace("-", "_")) is not None


def _scrubbed_option(name: Any, value: Any) -> Any:
    if isinstance(name, str) and is_secret(name) and value not in (None, "", False, True):
        return HIDDEN
    return scrubbed_options(value)


def _without(text: str, answer: bool) -> str:
    if not _secrets:
        return text
    lower = text.lower()
    # The longest first: another one may be a part of it.
    for secret in sorted(_secrets.values(), key=lambda secret: -len(secret.text)):
        text = secret.hidden(text, lower, answer)
    return text


def _forms(secret: str) -> set[str]:
    """Return the secret as it is, and as JSON, URLs, HTML, Python, Base64 and hexadecimal digits write it."""
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    escaped |= {text.replace("/", "\\/") for text in escaped}
    escaped |= {json.dumps(text)[1:-1] for text in escaped}
    raw = secret.encode("utf-8", "surrogatepass")
    quoted = {urllib.parse.quote(raw, safe=safe) for safe in ("", "/", "/:@!$&'()*+,;=")}
    quoted |= {urllib.parse.quote_plus(raw)}
    quoted |= {urllib.parse.quote(text, safe="") for text in quoted}
    written = {html.escape(secret), html.escape(secret, quote=False), repr(secret)[1:-1]}
    forms = {secret, *escaped, *quoted, *written}
    if len(raw) >= 4:  # the digits of fewer bytes stand in many texts
        forms |= {raw.hex(), *_base64(raw)}
    return {form for form in forms if form}


def _base64(raw: bytes) -> Iterable[str]:
    """Yield the Base64 digits that depend on the secret alone, for each place where it may begin."""
    for before in range(3):
        bits = 8 * len(raw)
        first = -(-8 * before // 6)
        last = (8 * before + bits) // 6
        for alphabet in (base64.b64encode, base64.urlsafe_b64encode):
            yield alphabet(bytes(before) + raw + bytes(3))[first:last].decode()
