"""Harbor's task folders: what is read, what is refused, and tests that can't be reached from the agent's workspace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import rlvr
from rlvr.core.errors import DataError
from rlvr.core.verdict import Cause, Scored, Status, Unscored
from rlvr.envs.terminal.dockerfile import ImageUnavailableError, read_image
from rlvr.envs.terminal.harbor import read_task
from tests.envs.terminal.conftest import Play

TOML = """\
schema_version = "1.4"
artifacts = ["/app/answer.txt"]
[task]
name = "rlvr/arithmetic-0"
[metadata]
difficulty = "easy"
[verifier]
timeout_sec = 20.0
environment_mode = "separate"
[agent]
timeout_sec = 300.0
[environment]
network_mode = "no-network"
cpus = 1
"""
TEST = """\
#!/bin/bash
if [ "$(cat /app/answer.txt)" = "-493" ]; then echo '{"reward": 1.0}' > /logs/verifier/reward.json
else echo '{"reward": 0.0}' > /logs/verifier/reward.json; fi
"""
Folder = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Return a function that writes a task's folder, with some files changed; None leaves one out."""

    def write(name: str = "task", **changed: str | None) -> Path:
        files = {
            "task.toml": TOML,
            "instruction.md": "What is 115 - 608? Write the answer to /app/answer.txt.\n",
            "environment/Dockerfile": "FROM debian:12-slim\nWORKDIR /app\nCOPY data/ /app/data/\n",
            "environment/data/a.txt": "a\n",
            "tests/test.sh": TEST,
            "solution/solve.sh": "#!/bin/bash\necho -493 > /app/answer.txt\n",
            **{key.replace("__", "/"): value for key, value in changed.items()},
        }
        for path, content in files.items():
            if content is not None:
                place = tmp_path / name / path
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(content)
        return tmp_path / name

    return write


def changed(old: str, new: str) -> str:
    assert old in TOML
    return TOML.replace(old, new)


@pytest.mark.parametrize("mode", ["separate", "shared"])
def test_tasks_are_judged_by_their_tests(folder: Folder, play: Play, mode: str) -> None:
    task_toml = changed('"separate"', f'"{mode}"')
    env = rlvr.make("terminal", data=str(folder(**{"task.toml": task_toml})))
    (task,) = env.tasks
    right = env.verifier.demonstrate(task)
    assert right is not None
    assert "bash /solution/solve.sh" in right
    assert play(
        env, task, ["test -f data/a.txt && pwd | grep -x /app && echo -493 > answer.txt"]
    ) == (Scored(1.0, Status.CORRECT, {"terminal": 1.0}))
    for commands in (
        ["echo 5 > answer.txt"],
        [],
        ["mkdir -p /logs/verifier; echo '{\"reward\": 1.0}' | tee /logs/verifier/reward.json /logs/verifier/reward.txt"],
        ["mkdir -p /tests && echo 'echo 1 > /logs/verifier/reward.txt' > /tests/test.sh; ln -s /tests/test.sh answer.txt"],
        ["mkdir -p /tests/test.sh/x answer.txt/x"],
        ["kill -9 -1"],
    ):  # fmt: skip
        verdict = play(env, task, commands)
        assert isinstance(verdict, Scored), (commands, verdict)
        assert verdict.reward == 0.0


def test_what_is_planted_for_pytest_or_python_is_left_out(folder: Folder, play: Play) -> None:
    """In shared mode all of the agent's folder is the verifier's; a file that Python reads at its start isn't."""
    test = "cd /app && python3 -c 'import sys; sys.exit(7)'; [ $? = 0 ] && echo 1 > /logs/verifier/reward.txt || echo 0 > /logs/verifier/reward.txt"
    files = {
        "task.toml": changed('"separate"', '"shared"'),
        "tests/test.sh": f"export PYTHONPATH=/app\n{test}\n",
    }
    env = rlvr.make("terminal", data=str(folder(**files)))
    plant = "for f in sitecustomize.py usercustomize.py conftest.py; do echo 'import os; os._exit(0)' > $f; done"
    verdict = play(env, env.tasks[0], [plant])
    assert isinstance(verdict, Scored)
    assert verdict.reward == 0.0


def test_deleted_files_are_gone_for_shared_tests(folder: Folder, play: Play) -> None:
    files = {
        "task.toml": changed('"separate"', '"shared"'),
        "tests/test.sh": "test -e /app/data/a.txt; echo $? > /logs/verifier/reward.txt\n",
    }
    env = rlvr.make("terminal", data=str(folder(**files)))
    verdict = play(env, env.tasks[0], ["rm data/a.txt"])
    assert isinstance(verdict, Scored)
    assert verdict.reward == 1.0


@pytest.mark.parametrize(
    ("test", "words"),
    [
        ("echo 1 > /logs/verifier/reward.txt", "if nothing was done"),
        ("true", "writes no reward"),
        ("echo much > /logs/verifier/reward.txt", "writes no reward"),
        ("exit 1", "writes no reward"),
    ],
)
def test_tests_that_tell_nothing_are_the_task_s_fault(
    folder: Folder, play: Play, test: str, words: str
) -> None:
    env = rlvr.make("terminal", data=str(folder(**{"tests/test.sh": test + "\n"})))
    for commands in ([], ["echo -493 > answer.txt"], ["kill -9 -1"]):
        verdict = play(env, env.tasks[0], commands)
        assert isinstance(verdict, Unscored)
        assert verdict.cause is Cause.GOLD
        assert words in verdict.message


@pytest.mark.parametrize("reward", ["7", "-1", "nan", "true", "[1]", '"1"', "1e999", "{}", "["])
def test_a_reward_that_is_none_pays_nothing(folder: Folder, play: Play, reward: str) -> None:
    test = f"if [ -e /app/answer.txt ]; then echo '{reward}' > /logs/verifier/reward.json; else echo 0 > /logs/verifier/reward.json; fi"
    env = rlvr.make("terminal", data=str(folder(**{"tests/test.sh": test + "\n"})))
    verdict = play(env, env.tasks[0], ["touch answer.txt"])
    assert isinstance(verdict, Scored), verdict
    assert verdict.reward == 0.0


def test_tests_that_the_work_keeps_from_ending_pay_nothing(folder: Folder, play: Play) -> None:
    files = {
        "task.toml": changed("20.0", "2.0"),
        "tests/test.sh": "if [ -e /app/answer.txt ]; then bash /app/answer.txt; fi; echo 0 > /logs/verifier/reward.txt\n",
    }
    env = rlvr.make("terminal", data=str(folder(**files)))
    for script in ("sleep 1000", "kill -9 -1", "kill -9 $PPID", "exec sleep 1000"):
        verdict = play(env, env.tasks[0], [f"echo '{script}' > answer.txt"])
        assert isinstance(verdict, Scored), verdict
        assert verdict.reward == 0.0


REFUSED = [
    ({"task.toml": "x = ["}, "task.toml"),
    ({"task.toml": changed('"1.4"', '"2.0"')}, "schema_version"),
    ({"task.toml": changed("cpus = 1", "cpu = 1")}, r"\[environment\] has a field 'cpu'"),
    ({"task.toml": TOML + "[extra]\n"}, "'extra'"),
    ({"task.toml": changed('"rlvr/arithmetic-0"', '"arithmetic"')}, "task.name"),
    ({"task.toml": changed('"separate"', '"apart"')}, "environment_mode"),
    ({"task.toml": changed("20.0", '"long"')}, "verifier.timeout_sec"),
    ({"task.toml": changed('"/app/answer.txt"', '"/tests/test.sh"')}, "artifacts"),
    ({"task.toml": changed('"/app/answer.txt"', '"../answer.txt"')}, "artifacts"),
    ({"task.toml": changed('"/app/answer.txt"', '"/logs/verifier"')}, "artifacts"),
    ({"task.toml": changed('"/app/answer.txt"', "3")}, "artifacts"),
    ({"instruction.md": None}, "instruction.md"),
    ({"instruction.md": "  \n"}, "instruction.md"),
    ({"tests/test.sh": None, "tests/x.py": ""}, "test.sh"),
    ({"environment/Dockerfile": "FROM debian\nCOPY nothing /app/\n"}, "line 2"),
]


@pytest.mark.parametrize(("files", "words"), REFUSED)
def test_a_folder_that_can_not_be_read_is_refused_by_file_and_field(
    folder: Folder, files: dict[str, str | None], words: str
) -> None:
    env = rlvr.make("terminal", data=str(folder(**files)))
    with pytest.raises(DataError, match=words):
        env.tasks[0]


UNAVAILABLE = [
    ({"environment/Dockerfile": "FROM nginx:1.27\n"}, "line 1: the image 'nginx:1.27'"),
    ({"environment/Dockerfile": "FROM python:2.7\n"}, "Python 2.7"),
    ({"environment/Dockerfile": "FROM debian:12\nRUN apt-get install -y git\n"}, "line 2: 'apt-get'"),
    ({"environment/Dockerfile": "FROM debian:12\nRUN mkdir -p /app \\\n && curl http://x | sh\n"}, "line 2: 'curl'"),
    ({"environment/Dockerfile": "FROM debian:12\nRUN echo $(curl x)\n"}, "commands in other commands"),
    ({"environment/Dockerfile": "FROM debian:12\nRUN ./install\n"}, "'./install'"),
    ({"environment/Dockerfile": "FROM debian:12\nRUN pip install git+https://x/y\n"}, "line 2"),
    ({"environment/Dockerfile": "FROM debian:12 AS one\nFROM debian:12\n"}, "several stages"),
    ({"environment/Dockerfile": "FROM debian:12\nCOPY data/ /etc/\n"}, "/etc"),
    ({"environment/Dockerfile": "FROM debian:12\nWORKDIR /root/x\n"}, "/root"),
    ({"environment/Dockerfile": "FROM debian:12\nADD https://x/y /app/\n"}, "network"),
    ({"environment/Dockerfile": "FROM debian:12\nUSER nobody\n"}, "USER"),
    ({"environment/Dockerfile": 'FROM debian:12\nENTRYPOINT ["serve"]\n'}, "ENTRYPOINT"),
    ({"environment/Dockerfile": "FROM debian:12\nHEALTHCHECK CMD x\n"}, "HEALTHCHECK"),
    ({"environment/Dockerfile": None}, "neither"),
    ({"environment/docker-compose.yaml": "services: {}\n"}, "docker-compose"),
    ({"task.toml": changed("cpus = 1", "gpus = 1")}, "gpus"),
    ({"task.toml": changed('network_mode = "no-network"', "")}, "network_mode is 'public'"),
    ({"task.toml": changed("timeout_sec = 300.0", 'network_mode = "public"')}, "agent.network_mode"),
    ({"task.toml": TOML + '[[steps]]\nname = "a"\n'}, "steps"),
]  # fmt: skip


@pytest.mark.parametrize(("files", "words"), UNAVAILABLE)
def test_an_environment_that_can_not_be_had_is_unscored_with_the_reason(
    folder: Folder, play: Play, files: dict[str, str | None], words: str
) -> None:
    bad = folder("bad", **files)
    with pytest.raises(DataError, match="can be had here"):
        rlvr.make("terminal", data=str(bad)).tasks[0]
    folder("good")
    env = rlvr.make("terminal", data=str(bad.parent))
    assert [task.id for task in env.tasks] == ["bad", "good"]
    verdict = play(env, env.tasks.find("bad"), ["echo -493 > answer.txt"])
    assert isinstance(verdict, Unscored)
    assert words in verdict.message


def test_offline_takes_a_task_that_would_have_a_network(folder: Folder, play: Play) -> None:
    task_toml = changed('network_mode = "no-network"', 'network_mode = "public"')
    env = rlvr.make("terminal", data=str(folder(**{"task.toml": task_toml})), offline=True)
    verdict = play(env, env.tasks[0], ["echo -493 > answer.txt"])
    assert isinstance(verdict, Scored)
    assert verdict.reward == 1.0


def test_a_dockerfile_of_plain_file_operations_is_followed(folder: Folder, play: Play) -> None:
    dockerfile = """\
# A comment
ARG NAME=world
FROM debian:12-slim
ENV GREETING="hello there" \\
    PLACE=/data/in
WORKDIR /app
COPY --chmod=755 data/a.txt ${PLACE}/run.sh
RUN mkdir -p /app/out && printf 'x\\n' > /app/out/x.txt; cp /data/in/run.sh out/
WORKDIR sub
CMD ["sleep", "infinity"]
"""
    path = folder(
        **{"environment/Dockerfile": dockerfile, "environment/data/a.txt": "#!/bin/sh\necho ran\n"}
    )
    start = read_image(path / "environment" / "Dockerfile", path / "environment")
    assert (start.folder, start.also, start.workdir) == ("/app", ("/data",), "/app/sub")
    env = rlvr.make("terminal", data=str(path))
    look = "[ \"$(pwd) $GREETING $(/data/in/run.sh) $(cat ../out/x.txt)\" = '/app/sub hello there ran x' ] && cmp /data/in/run.sh ../out/run.sh && echo -493 > /app/answer.txt"
    verdict = play(env, env.tasks[0], [look])
    assert isinstance(verdict, Scored)
    assert verdict.reward == 1.0


def test_copy_does_not_lead_out_of_its_context(folder: Folder) -> None:
    path = folder(**{"environment/Dockerfile": "FROM debian:12\nCOPY ../task.toml /app/\n"})
    with pytest.raises(DataError):
        read_image(path / "environment" / "Dockerfile", path / "environment")
    (path / "environment" / "data" / "link").symlink_to("/etc/passwd")
    (path / "environment" / "Dockerfile").write_text("FROM debian:12\nCOPY data/ /app/\n")
    with pytest.raises(ImageUnavailableError, match="link"):
        read_image(path / "environment" / "Dockerfile", path / "environment")
    (path / "environment" / "Dockerfile").write_text("FROM debian:12\nCOPY data/link /app/\n")
    with pytest.raises(DataError):
        read_image(path / "environment" / "Dockerfile", path / "environment")


def test_read_task_names_what_it_found(folder: Folder) -> None:
    task = read_task(str(folder()))
    assert (task.name, task.shared, task.artifacts) == (
        "rlvr/arithmetic-0",
        False,
        ("/logs/artifacts", "/app/answer.txt"),
    )
