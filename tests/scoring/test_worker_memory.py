"""What counts against a worker's memory: what a verification takes, and nothing of its author's."""

from __future__ import annotations

import mmap
import tempfile

import pytest

import rlvr
from rlvr.scoring import Pool, score

TASK = rlvr.Task("say something", "something")
MIB = 1 << 20


class Takes(rlvr.Verifier):
    """Takes as many MiB as the response says, before it's right."""

    name = "takes"

    def verify(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
        rlvr.working_on("response")
        taken = bytearray(int(response) * MIB)
        return rlvr.Scored(float(len(taken) >= 0), rlvr.Status.CORRECT)


class Ballast(Takes):
    """Has 300 MiB of its own, as a model would."""

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self.ballast = bytearray(300 * MIB)


class Maps(Takes):
    """Maps 8 GiB that it hardly reads, as a library's code for GPUs is."""

    def verify(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
        with tempfile.TemporaryFile() as file:
            file.truncate(8192 * MIB)
            with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ):
                return super().verify(task, response)


@pytest.mark.parametrize("kind", [Takes, Ballast, Maps])
def test_only_what_a_verification_takes_counts(kind: type[Takes]) -> None:
    with Pool(1, memory_mb=200) as pool:
        for _ in range(2):
            fits, doesnt = score([TASK] * 2, ["100", "400"], kind(), pool=pool)
            assert isinstance(fits, rlvr.Scored)
            assert fits.status is rlvr.Status.CORRECT
            assert isinstance(doesnt, rlvr.Scored)
            assert doesnt.status is rlvr.Status.LIMIT
            assert "memory" in doesnt.feedback


def test_verifiers_that_come_and_go_dont_widen_the_limit() -> None:
    with Pool(1, memory_mb=200) as pool:
        for _ in range(70):
            (verdict,) = score([TASK], ["1"], Ballast(), pool=pool)
            assert float(verdict) == 1.0
        (verdict,) = score([TASK], ["900"], Takes(), pool=pool)
        assert isinstance(verdict, rlvr.Scored)
        assert verdict.status is rlvr.Status.LIMIT
