"""The declared packages: built once, the same in every jail; and a jail that lacks one is no wrong answer."""

from __future__ import annotations

import asyncio
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

import rlvr
from rlvr import sandboxes
from rlvr.cli import command
from rlvr.core.errors import LacksError, OptionError, SandboxError
from rlvr.core.verdict import Cause, Scored, Status, Unscored
from rlvr.sandboxes import Needs, Program, Sandbox, choose
from rlvr.sandboxes.bubblewrap import Bubblewrap
from rlvr.sandboxes.docker import Docker
from rlvr.sandboxes.docker.client import client
from rlvr.sandboxes.interpreter import base_python, interpreter
from rlvr.sandboxes.packages import build, built_folder, declared

PYTHON = interpreter(base_python())
NUMPY = "```python\nimport numpy as np\nprint(int(np.sum([int(x) for x in input().split()])))\n```"
SUM = rlvr.Task("Add.", {"tests": [{"stdin": "1 2", "stdout": "3"}]})


@pytest.fixture
def sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for built sets, empty at first."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path


def printed(sandbox: Sandbox, source: str) -> bytes:
    (done,) = sandbox.run(Program(source.encode())).executions
    return done.stdout if done.ok else done.stderr


def judged(sandbox: Sandbox, task: rlvr.Task, response: str, **options: object):
    return asyncio.run(rlvr.ascore([task], [response], rlvr.Code(sandbox=sandbox, **options)))[0]


def test_numpy_is_there_without_a_build(sandbox: Sandbox) -> None:
    assert list(sandbox.inventory().packages) == ["numpy"]
    assert judged(sandbox, SUM, NUMPY).reward == 1


def test_a_built_set_is_what_programs_may_import(sets: Path, bubblewrap: Bubblewrap) -> None:
    said: list[str] = []
    made = build(["Jinja2"], PYTHON, from_host=True, say=said.append)
    assert set(made.versions) == {"jinja2", "markupsafe"}
    assert "copying" in said[0]
    with Sandbox(bubblewrap, jails=1) as sandbox:
        source = "import jinja2, os\nprint(jinja2.Template('{{ 1 + 1 }}').render(), os.access(jinja2.__file__, os.W_OK))\n"
        assert printed(sandbox, source) == b"2 False\n"
        assert b"ModuleNotFoundError" in printed(sandbox, "import numpy")
        # The set lacks what `Code` declares, so no verdict comes of it; what it has can be declared.
        verdict = judged(sandbox, SUM, NUMPY)
        assert isinstance(verdict, Unscored)
        assert verdict.cause is Cause.SANDBOX
        assert "rlvr sandbox build --packages" in verdict.message
        plain = "```python\nprint(3)\n```"
        assert judged(sandbox, SUM, plain, packages=["jinja2"]).reward == 1
        assert judged(sandbox, SUM, NUMPY, packages=[]).status is Status.INCORRECT


def test_a_set_that_cannot_be_built_leaves_the_old_one(sets: Path) -> None:
    build(["typing_extensions"], PYTHON, from_host=True)
    for names, said in ((["no-such-thing"], "no-such-thing"), (["numpy==0.0.1"], "numpy==0.0.1")):
        with pytest.raises(SandboxError, match=f"Not installed beside rlvr: {said}"):
            build(names, PYTHON, from_host=True)
    folder = built_folder(PYTHON)
    assert list(json.loads((folder / "packages.json").read_text())) == ["typing-extensions"]
    assert [one.name for one in folder.parent.iterdir()] == [folder.name]
    with pytest.raises(OptionError, match="not 'numpy>=2'"):
        declared(["numpy>=2"])


def test_the_standard_library_alone(sets: Path, bubblewrap: Bubblewrap) -> None:
    arguments = ["sandbox", "build", "--backend", "bubblewrap", "--packages", ""]
    done = CliRunner().invoke(command, arguments)
    assert (done.exit_code, done.output.endswith("packages: none\n")) == (0, True), done.output
    with Sandbox(bubblewrap, jails=1) as sandbox:
        assert sandbox.inventory().packages == {}
        assert b"ModuleNotFoundError" in printed(sandbox, "import numpy")


# ---------------------------------------------------------------- what a sandbox lacks


@pytest.fixture(scope="module")
def without_numpy(docker: Docker) -> Iterator[Docker]:
    """An image like the default one, in which NumPy is listed and can't be imported."""
    name = f"rlvr-test-{os.getpid()}:without"
    remove = "for p in $(python3 -c 'import numpy, os; print(os.path.dirname(numpy.__file__))'); do rm -r $p; done"
    with client(300) as api:
        file = io.BytesIO(f"FROM {docker.image}\nRUN {remove}\n".encode())
        assert not [
            step
            for step in api.build(fileobj=file, tag=name, rm=True, decode=True)
            if "error" in step
        ]
    yield Docker(name)
    with client(60) as api:
        api.remove_image(name, force=True)


def test_an_image_without_numpy_is_no_wrong_answer(without_numpy: Docker) -> None:
    with Sandbox(without_numpy, jails=1) as sandbox:
        for response in (NUMPY, "```python\nprint(3)\n```"):
            verdict = judged(sandbox, SUM, response)
            assert isinstance(verdict, Unscored)
            assert verdict.cause is Cause.SANDBOX
            assert "numpy that can be imported" in verdict.message
            assert "rlvr sandbox build" in verdict.message
        # What isn't Python needs no package.
        task = rlvr.Task("Add.", {"language": "bash", "tests": [{"stdin": "1 2", "stdout": "3"}]})
        verdict = judged(sandbox, task, "```bash\nread a b; echo $((a + b))\n```")
        assert isinstance(verdict, Scored)
        assert verdict.reward == 1


def test_auto_takes_what_has_all(
    without_numpy: Docker,
    bubblewrap: Bubblewrap,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setitem(choose.BACKENDS, "docker", lambda: without_numpy)
    choice = choose.chosen("auto", Needs.of(["python"], ["numpy"]))
    assert choice.backend.name == "bubblewrap"
    assert "docker: it lacks a numpy that can be imported" in choice.why
    assert "rlvr sandbox build" in caplog.text
    assert choose.chosen("auto", Needs.of(["bash"])).backend.name == "docker"
    with pytest.raises(
        LacksError, match=r"(?s)No sandbox on this machine.*docker.*no-such.*bubblewrap.*no-such"
    ):
        choose.chosen("auto", Needs.of(["python"], ["no-such"]))


def test_the_process_has_a_sandbox_for_each_need(
    without_numpy: Docker, bubblewrap: Bubblewrap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(choose.BACKENDS, "docker", lambda: without_numpy)
    monkeypatch.setenv("RLVR_SANDBOX", "auto")
    monkeypatch.setenv("RLVR_JAILS", "1")
    bash, numpy = Needs.of(["bash"]), Needs.of(["python"], ["numpy"])
    try:
        first, second = sandboxes.default_sandbox(bash), sandboxes.default_sandbox(numpy)
        assert [one.choice.backend.name for one in (first, second)] == ["docker", "bubblewrap"]
        assert sandboxes.default_sandbox(bash) is sandboxes.made_sandbox(bash) is first
        assert sandboxes.made_sandbox(numpy) is second
        monkeypatch.setenv("RLVR_SANDBOX", "docker")
        with pytest.raises(LacksError):
            sandboxes.default_sandbox(Needs.of(["python"], ["no-such"]))
    finally:
        sandboxes.close()


def test_a_reference_declares_what_its_programs_need(sandbox: Sandbox) -> None:
    def said(**more: object):
        return judged(sandbox, rlvr.Task("Add.", SUM.reference | more), NUMPY)

    assert said(packages=["numpy"]).reward == 1
    assert said(packages=["numpy", "no-such"]).cause is Cause.SANDBOX
    assert said(packages="numpy").cause is Cause.GOLD
    assert said(packages=["numpy >= 2"]).cause is Cause.GOLD
    with pytest.raises(OptionError, match="list of names"):
        rlvr.Code(packages="numpy")
