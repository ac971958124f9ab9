"""The event loop's lane, and `ascore`."""

import asyncio
import threading
from concurrent.futures import Future
from pathlib import Path

import pytest
from processes import eventually
from verifiers_used import CORRECT, TASK, Acts, Inline, Later

import rlvr
from rlvr.scoring import Pool, ascore, close, score, submit


def judge(response: str, limit_s: float | None = None) -> rlvr.Verdict:
    return score([TASK], [response], Later(), limit_s=limit_s)[0]


@pytest.mark.parametrize("response", ["sleep 60", "stay"])
def test_a_time_limit_ends_it_there(response: str) -> None:
    """Also one that won't be cancelled."""
    verdict = judge(response, limit_s=0.2)
    assert isinstance(verdict, rlvr.Unscored)
    assert verdict.cause is rlvr.Cause.TIMEOUT


@pytest.mark.parametrize(
    ("response", "message"),
    [
        ("raise why", "ValueError: why"),
        ("raise-badly", "WaitError"),
        ("cancelled", "CancelledError"),
        ("sys-exit", "SystemExit"),
        ("nonsense", "returned str, not a verdict"),
    ],
)
def test_its_faults_are_unscored_and_its_items_alone(response: str, message: str) -> None:
    verdicts = score([TASK] * 3, ["right", response, "right"], Later())
    assert [verdict.scored for verdict in verdicts] == [True, False, True]
    fault = verdicts[1]
    assert isinstance(fault, rlvr.Unscored)
    assert fault.cause is rlvr.Cause.INTERNAL
    assert message in fault.message
    assert judge("right").scored


def test_its_own_time_out_isnt_ours() -> None:
    """A connection that timed out inside the verifier didn't take all of the item's time."""

    class Connects(Later):
        async def verify(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
            raise TimeoutError("connecting")

    (verdict,) = score([TASK], ["right"], Connects())
    assert isinstance(verdict, rlvr.Unscored)
    assert verdict.cause is rlvr.Cause.INTERNAL
    assert "connecting" in verdict.message


def test_cannot_score_names_its_cause() -> None:
    assert judge("cannot read") == rlvr.Unscored(rlvr.Cause.GOLD, "read")


def test_many_run_at_once() -> None:
    """A hundred of half a second: fifty seconds, one after the other."""
    verdicts = score([TASK] * 100, ["sleep 0.5"] * 100, Later(), deadline_s=20)
    assert all(verdict.scored for verdict in verdicts)


def test_close_leaves_nobody_waiting() -> None:
    future = submit(TASK, "sleep 60", Later(), limit_s=120)
    assert isinstance(future, Future)
    close()
    verdict = future.result(120)
    assert isinstance(verdict, rlvr.Unscored)
    assert "closed" in verdict.message
    assert judge("right").scored


def test_the_loops_thread_ends_at_close() -> None:
    def threads() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "rlvr-async"]

    before = threads()
    close()
    judge("right")
    (ours,) = [thread for thread in threads() if thread not in before]
    close()
    assert eventually(lambda: not ours.is_alive())


def test_ascore_gives_the_verdicts_in_order(pool: Pool) -> None:
    verifier = 0.5 * Inline() + 0.25 * Acts() + 0.25 * Later()
    responses = [f"say {i}" for i in range(150)]
    verdicts = asyncio.run(ascore([TASK] * 150, responses, verifier, pool=pool))
    for response, verdict in zip(responses, verdicts, strict=True):
        assert isinstance(verdict, rlvr.Scored)
        assert verdict.reward == 1.0
        assert verdict.feedback.startswith(f"inline: {response}")


def test_the_callers_loop_runs_on_while_the_queue_is_full(tmp_path: Path) -> None:
    """The loop itself lets the one worker go on, so a loop that waited would wait for ever."""
    gate = tmp_path / "gate"

    async def main(pool: Pool) -> list[rlvr.Verdict]:
        asyncio.get_running_loop().call_later(0.3, gate.touch)
        return await ascore([TASK] * 20, [f"wait {gate}"] * 20, Acts(), pool=pool)

    with Pool(1, max_queued=2) as pool:
        assert asyncio.run(main(pool)) == [CORRECT] * 20


def test_ascores_deadline_holds() -> None:
    with Pool(1, max_queued=2) as pool:
        verdicts = asyncio.run(
            ascore([TASK] * 30, ["sleep 20"] * 30, Acts(), deadline_s=0.5, pool=pool)
        )
    assert [getattr(verdict, "cause", None) for verdict in verdicts] == ["timeout"] * 30


def test_cancelling_ascore_leaves_nothing_in_the_queue(tmp_path: Path) -> None:
    async def main(pool: Pool) -> None:
        responses = [f"first {tmp_path / str(i)}" for i in range(10)]
        scoring = asyncio.create_task(ascore([TASK] * 10, responses, Acts(), limit_s=1, pool=pool))
        await asyncio.sleep(0.3)
        scoring.cancel()
        with pytest.raises(asyncio.CancelledError):
            await scoring

    with Pool(1) as pool:
        assert score([TASK], ["right"], Acts(), pool=pool) == [CORRECT]
        asyncio.run(main(pool))
        assert score([TASK], ["right"], Acts(), pool=pool) == [CORRECT]
    assert len(list(tmp_path.iterdir())) == 1
