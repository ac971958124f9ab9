"""nltk's data that the checks need: downloaded once, by `rlvr data nltk`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from rlvr.core.errors import DataError, MissingExtraError
from rlvr.verifiers.instructions.resources import NLTK_PACKAGES


def fetched(folder: Path | None = None) -> Iterator[tuple[str, str]]:
    """Each package and where it is, downloaded where it wasn't there.

    Args:
        folder: to download to, by default the first that `NLTK_DATA` names, else nltk's own choice.

    Raises `DataError` where it can't be had, with what to do by hand; `MissingExtraError` without nltk.
    """
    try:
        import nltk
    except ImportError as error:
        raise MissingExtraError(
            "Checking instructions needs the package 'nltk': pip install 'rlvr[ifeval]'."
        ) from error
    named = os.environ.get("NLTK_DATA", "").split(os.pathsep)[0]
    target = str(folder) if folder is not None else named or None
    if target is not None and target not in nltk.data.path:
        nltk.data.path.insert(0, target)
    for package, path in NLTK_PACKAGES.items():
        there = _find(path)
        if there is None:
            _download(package, target)
            there = _find(path)
        if there is None:
            raise _cannot(package, path, "it isn't where it was to be")
        yield package, there


def _find(path: str) -> str | None:
    import nltk

    try:
        return str(nltk.data.find(path))
    except LookupError:
        return None


def _download(package: str, target: str | None) -> None:
    import nltk

    try:
        nltk.download(package, download_dir=target, quiet=True, raise_on_error=True)
    except Exception as error:  # theirs are of many types, none of them nltk's own
        raise _cannot(package, NLTK_PACKAGES[package], str(error) or repr(error)) from error


def _cannot(package: str, path: str, why: str) -> DataError:
    return DataError(
        f"nltk's {package!r} can't be downloaded ({' '.join(why.split()):.200}). Fetch it on a machine "
        f"with a network by `python -m nltk.downloader -d FOLDER {package}`, copy FOLDER here, and set "
        f"NLTK_DATA=FOLDER, so that FOLDER/{path} is there."
    )
