"""What isn't a verifier, a task or a name is refused at once, and the message says how to make one."""

import pytest

import rlvr
from rlvr.core.errors import OptionError, RegistrationError, TaskError

TASK = rlvr.Task("q", "1")
MISTAKES = [
    (lambda task, answer: True, "@rlvr.verifier"),
    (rlvr.Math, r"Make an instance of the class: Math\(\)"),
    ("math", r"rlvr.Math\(\) is one"),
    (rlvr.SingleTurn([TASK], rlvr.Math()), "env.verifier"),
    (None, "not None"),
]


@pytest.mark.parametrize(("given", "mend"), MISTAKES)
def test_what_is_no_verifier_is_refused_where_it_is_given(given, mend):
    with pytest.raises(OptionError, match=mend):
        rlvr.SingleTurn([TASK], given)
    with pytest.raises(OptionError, match=mend):
        rlvr.score([TASK], ["\\boxed{1}"], given)
    with pytest.raises(OptionError, match=mend):
        rlvr.AllOf(rlvr.Math(), given)
    with pytest.raises(OptionError, match=mend):
        rlvr.Math() >> given


def test_one_task_instead_of_a_list():
    with pytest.raises(OptionError, match=r"\[task\], \[response\]"):
        rlvr.score(TASK, "\\boxed{1}", rlvr.Math())
    with pytest.raises(TaskError, match=r"rlvr\.Task"):
        rlvr.score(["q"], ["\\boxed{1}"], rlvr.Math())


def test_a_list_or_a_generator_of_tasks_is_a_task_set():
    assert len(rlvr.SingleTurn([TASK], rlvr.Math()).tasks) == 1
    assert len(rlvr.TaskSet(rlvr.Task("q", str(i)) for i in range(3))) == 3


def test_an_environment_without_a_name():
    with pytest.raises(RegistrationError, match=r'@rlvr\.environment\("anagram"\)'):

        @rlvr.environment
        def make():
            return rlvr.SingleTurn([TASK], rlvr.Math())


def test_a_verifier_that_raises_says_where():
    @rlvr.verifier
    def broken(task, answer):
        raise ValueError("boom")

    (verdict,) = rlvr.score([TASK], ["\\boxed{1}"], broken)
    assert isinstance(verdict, rlvr.Unscored)
    assert "ValueError: boom" in verdict.message
    assert "test_arguments.py, line" in verdict.message


def test_one_reason_is_said_once():
    verifier = 0.5 * rlvr.Math() + 0.5 * rlvr.Format.boxed()
    (verdict,) = rlvr.score([TASK], ["nothing"], verifier)
    assert verdict.feedback == "no \\boxed{}"
