"""Whether anything that a response says is run: as Python, in a shell, as a query, by a loader.

The response asks for an empty file in a folder of the audit's own, and the file tells. In a jail
(`rlvr.Code`) there's no such folder.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from rlvr.authoring.audit.finding import Finding
from rlvr.authoring.audit.registry import fail, nothing, ok, probe
from rlvr.authoring.audit.subject import Subject, excerpt


@probe("hacks")
def runs_nothing(subject: Subject) -> Finding:
    """What a response says isn't run in the grader's process."""
    if not subject.inline:
        return nothing("its `settle` hangs (see settling)")
    task = subject.tasks[0]
    with tempfile.TemporaryDirectory() as folder:
        cases = [
            (language, text, path)
            for i, (language, source) in enumerate(_sources())
            for j, mark in enumerate(("%s", "\\boxed{%s}", f"```{language.lower()}\n%s\n```"))
            for path in [Path(folder, f"ran-{i}-{j}")]
            for text in [mark.replace("%s", source.replace("PATH", str(path)))]
        ]
        subject.episodes([task] * len(cases), [text for _, text, _ in cases])
        ran = [(language, text) for language, text, path in cases if path.exists()]
    if ran:
        return fail(
            f"a response is run: as {', '.join(dict.fromkeys(language for language, _ in ran))}",
            [f"{language}, {excerpt(text, 200)}" for language, text in ran],
            "Whoever writes the response has your machine. Read data: int(…), ast.literal_eval, "
            "json.loads, rlvr.Math(); run programs by rlvr.Code and queries by rlvr.Sql.",
        )
    return ok(f"{len(cases)} responses that ask to be run aren't")


def _sources() -> Iterator[tuple[str, str]]:
    call = "__import__('pathlib').Path('PATH').touch()"
    yield "Python", call
    yield "Python", f"[{call}, 1][1]"
    yield "sh", "; touch 'PATH' #"
    yield "sh", "touch 'PATH'"
    yield "sh", "$(touch 'PATH')"
    yield "SQL", "VACUUM INTO 'PATH'"
    yield "SQL", "ATTACH DATABASE 'PATH' AS c; CREATE TABLE c.t (a)"
    yield "YAML", f'!!python/object/apply:builtins.eval ["{call}"]'
