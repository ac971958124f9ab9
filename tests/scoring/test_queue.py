"""The pool's queue is bounded, can be left, and ends with the pool."""

import threading
from concurrent.futures import Future
from pathlib import Path

import pytest
from processes import eventually
from verifiers_used import CORRECT, TASK, Acts, Inline

import rlvr
from rlvr.core.errors import OptionError, PoolError
from rlvr.scoring import Pool, score


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A file that the one running job waits for."""
    return tmp_path / "gate"


def running(pool: Pool, gate: Path) -> Future[rlvr.Verdict]:
    """A job that occupies the pool's one worker until the gate is there."""
    future = pool.submit(Acts(), TASK, f"wait {gate}")
    assert eventually(future.running)
    return future


def test_submit_waits_while_the_queue_is_full(gate: Path) -> None:
    with Pool(1, max_queued=2) as pool:
        running(pool, gate)
        for _ in range(2):
            pool.submit(Acts(), TASK, "right")
        late: list[Future[rlvr.Verdict]] = []
        thread = threading.Thread(target=lambda: late.append(pool.submit(Acts(), TASK, "right")))
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        assert not pool.wait_for_room(0)
        gate.touch()
        thread.join(120)
        assert late[0].result(120) == CORRECT


def test_without_blocking_the_queue_is_overfilled(gate: Path) -> None:
    with Pool(1, max_queued=1) as pool:
        running(pool, gate)
        futures = [pool.submit(Acts(), TASK, "right", block=False) for _ in range(5)]
        gate.touch()
        assert [future.result(120) for future in futures] == [CORRECT] * 5


def test_a_callback_may_submit_to_a_full_queue(gate: Path) -> None:
    """It runs in the dispatcher's thread, which alone makes room."""
    more: list[Future[rlvr.Verdict]] = []
    with Pool(1, max_queued=1) as pool:
        first = running(pool, gate)
        second = pool.submit(Acts(), TASK, "right")
        first.add_done_callback(
            lambda _: more.extend(pool.submit(Acts(), TASK, "right") for _ in range(5))
        )
        gate.touch()
        assert second.result(120) == CORRECT
        assert eventually(lambda: len(more) == 5)
        assert [future.result(120) for future in more] == [CORRECT] * 5


def test_composites_go_on_while_the_queue_is_full() -> None:
    verifier = (Acts() >> Acts(name="second")) + 0.0 * Acts(name="third")
    with Pool(1, max_queued=2) as pool:
        verdicts = score([TASK] * 40, ["right"] * 40, verifier, pool=pool)
    assert [float(verdict) for verdict in verdicts] == [1.0] * 40


def test_a_cancelled_job_isnt_run_and_makes_room(gate: Path, tmp_path: Path) -> None:
    with Pool(1, max_queued=2) as pool:
        running(pool, gate)
        waiting = [pool.submit(Acts(), TASK, f"first {tmp_path / 'ran'}") for _ in range(2)]
        assert not pool.wait_for_room(0)
        assert all(future.cancel() for future in waiting)
        assert pool.wait_for_room(0)
        after = pool.submit(Acts(), TASK, "right")
        gate.touch()
        assert after.result(120) == CORRECT
    assert not (tmp_path / "ran").exists()


def test_a_full_queue_is_not_rebuilt_for_each_job(gate: Path) -> None:
    """Rebuilding it per job made an item of a large batch cost as much as the queue is long."""
    with Pool(1, max_queued=4) as pool:
        running(pool, gate)
        queue = pool._queue._jobs
        futures = []
        for _ in range(40):
            futures.append(pool.submit(Acts(), TASK, "right", block=False))
            pool.wait_for_room(0)
        assert pool._queue._jobs is queue
        assert all(future.cancel() for future in futures[:37])
        assert pool.wait_for_room(0)
        assert len(pool._queue) == 3
        gate.touch()
        assert [future.result(120) for future in futures[37:]] == [CORRECT] * 3


def test_a_running_job_cant_be_cancelled(gate: Path) -> None:
    with Pool(1) as pool:
        future = running(pool, gate)
        assert not future.cancel()
        gate.touch()
        assert future.result(120) == CORRECT


def test_close_leaves_nobody_waiting(gate: Path) -> None:
    """Jobs that run or wait become unscored, and who waits for room gets an error."""
    pool = Pool(1, max_queued=1)
    futures = [running(pool, gate), pool.submit(Acts(), TASK, "right")]
    errors: list[BaseException] = []

    def late() -> None:
        with pytest.raises(PoolError) as error:
            pool.submit(Acts(), TASK, "right")
        errors.append(error.value)

    thread = threading.Thread(target=late)
    thread.start()
    thread.join(0.2)
    pool.close()
    thread.join(120)
    assert len(errors) == 1
    for future in futures:
        verdict = future.result(120)
        assert isinstance(verdict, rlvr.Unscored)
        assert "closed" in verdict.message


def test_close_ends_a_caller_that_waits_for_its_worker(gate: Path) -> None:
    pool = Pool(1)
    assert pool.submit(Acts(), TASK, "right").result(120) == CORRECT
    verdicts: list[rlvr.Verdict] = []
    began = gate.with_name("began")
    thread = threading.Thread(
        target=lambda: verdicts.extend(score([TASK], [f"first {began}"], Acts(), pool=pool))
    )
    thread.start()
    assert eventually(began.exists)
    pool.close()
    thread.join(120)
    assert isinstance(verdicts[0], rlvr.Unscored)
    assert "closed" in verdicts[0].message


def test_a_composite_between_two_parts_is_unscored_when_the_pool_closes(gate: Path) -> None:
    """Its second part can't be submitted any more, in a callback that nobody sees fail."""
    pool = Pool(1)
    blocker = running(pool, gate)
    results: list[rlvr.Verdict] = []
    verifier = Blocks(gate) >> Acts()
    thread = threading.Thread(
        target=lambda: results.extend(score([TASK], ["right"], verifier, pool=pool))
    )
    thread.start()
    pool.close()
    assert blocker.done()
    gate.touch()
    thread.join(120)
    assert not thread.is_alive()
    assert isinstance(results[0], rlvr.Unscored)
    assert "closed" in results[0].message


class Blocks(rlvr.Verifier):
    """On the event loop until the gate is there."""

    name = "blocks"
    limit_s = 30.0

    def __init__(self, gate: Path) -> None:
        self.gate = gate

    async def verify(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
        import asyncio

        while not self.gate.exists():
            await asyncio.sleep(0.01)
        return rlvr.Scored(1.0, rlvr.Status.CORRECT, {self.name: 1.0})


def test_closing_twice_and_from_a_callback(gate: Path) -> None:
    pool = Pool(1)
    future = running(pool, gate)
    closed = threading.Event()
    future.add_done_callback(lambda _: (pool.close(), closed.set()))
    gate.touch()
    assert closed.wait(120)
    pool.close()
    with pytest.raises(PoolError, match="closed"):
        pool.submit(Acts(), TASK, "right")
    with pytest.raises(PoolError, match="closed"):
        pool.start()
    with pytest.raises(PoolError, match="closed"):
        score([TASK], ["right"], Inline() >> Acts(), pool=pool)


def test_a_pool_that_never_started_closes() -> None:
    with Pool(1):
        pass


@pytest.mark.parametrize("setting", ["workers", "memory_mb", "max_queued"])
def test_numbers_are_positive(setting: str) -> None:
    with pytest.raises(OptionError, match=setting):
        Pool(**{setting: -1})
