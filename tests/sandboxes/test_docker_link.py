"""The link over an attached container's stream, against a peer that speaks Docker's frames."""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest

from rlvr.core.errors import JailError
from rlvr.sandboxes.docker.link import LAST_WORDS, DockerLink, Frames


def frame(payload: bytes, output: int = 1) -> bytes:
    return struct.pack(">BxxxI", output, len(payload)) + payload


class Peer:
    def __init__(self) -> None:
        ours, self.socket = socket.socketpair()
        self.removed = 0
        self.link = DockerLink(ours, lambda: ": exit status 3", self._remove)

    def _remove(self) -> None:
        self.removed += 1


@pytest.fixture
def peer() -> Iterator[Peer]:
    it = Peer()
    yield it
    it.link.close()
    it.socket.close()


def soon(seconds: float = 60.0) -> float:
    return time.monotonic() + seconds


@pytest.mark.parametrize("piece", [1, 3, 7, 8, 9, 1000])
def test_frames_may_be_cut_anywhere(piece: int) -> None:
    stream = frame(b"one") + frame(b"oops", 2) + frame(b"") + frame(b"two" * 100) + frame(b"!", 2)
    frames, out = Frames(), bytearray()
    for start in range(0, len(stream), piece):
        frames.feed(stream[start : start + piece], out)
    assert out == b"one" + b"two" * 100
    assert frames.stderr == b"oops!"


def test_the_end_of_a_flood_on_standard_error_is_kept() -> None:
    frames, out = Frames(), bytearray()
    for _ in range(100):
        frames.feed(frame(b"x" * 10_000, 2), out)
    frames.feed(frame(b"the end", 2), out)
    assert len(frames.stderr) == LAST_WORDS
    assert frames.stderr.endswith(b"x" * 100 + b"the end")
    assert not out


def test_a_frame_may_be_handed_over_in_two_exchanges(peer: Peer) -> None:
    whole = frame(b"abcdef")
    peer.socket.sendall(whole[:10])
    assert peer.link.exchange(b"", 2, soon()) == b"ab"
    peer.socket.sendall(whole[10:])
    assert peer.link.exchange(b"", 4, soon()) == b"cdef"


def test_more_than_wanted_is_all_handed_over(peer: Peer) -> None:
    peer.socket.sendall(frame(b"abc") + frame(b"def"))
    assert peer.link.exchange(b"", 1, soon()) == b"abcdef"


def test_sends_and_receives_at_once(peer: Peer) -> None:
    size = 8 << 20

    def answer_first() -> None:  # deadlocks unless somebody reads meanwhile
        peer.socket.sendall(frame(b"y" * size))
        left = size
        while left:
            left -= len(peer.socket.recv(1 << 16))

    thread = threading.Thread(target=answer_first)
    thread.start()
    assert peer.link.exchange(b"x" * size, size, soon()) == b"y" * size
    thread.join()


def test_nothing_to_do_is_done_at_once(peer: Peer) -> None:
    assert peer.link.exchange(b"", 0, soon()) == b""


def test_the_deadline_holds_for_receiving_and_for_sending(peer: Peer) -> None:
    peer.socket.sendall(frame(b"slow today", 2) + frame(b"ab"))
    for data, wanted in ((b"", 3), (b"x" * (4 << 20), 0)):
        began = time.monotonic()
        with pytest.raises(JailError, match=r"didn't answer in time\. Its last words: slow today"):
            peer.link.exchange(data, wanted, began + 0.2)
        assert time.monotonic() - began >= 0.2


def test_a_hang_up_says_how_it_ended_and_the_last_words(peer: Peer) -> None:
    peer.socket.sendall(frame(b"ab") + frame(b"Boom\n", 2))
    peer.socket.close()
    with pytest.raises(JailError, match=r"hung up: exit status 3\. Its last words: Boom$"):
        peer.link.exchange(b"x" * 100, 3, soon())


def test_what_came_before_the_hang_up_is_handed_over(peer: Peer) -> None:
    peer.socket.sendall(frame(b"abc"))
    peer.socket.close()
    assert peer.link.exchange(b"", 3, soon()) == b"abc"
    with pytest.raises(JailError, match="hung up"):
        peer.link.exchange(b"", 1, soon())


def test_a_flood_nobody_asked_for_is_refused(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rlvr.sandboxes.docker.link.FLOOD", 1 << 20)

    def flood() -> None:
        try:
            while True:
                peer.socket.sendall(frame(b"y" * 100_000))
        except OSError:
            pass

    thread = threading.Thread(target=flood)
    thread.start()
    with pytest.raises(JailError, match="far more than it was asked for"):
        peer.link.exchange(b"x" * (64 << 20), 1, soon())
    peer.link.close()
    thread.join()


def test_close_ends_an_exchange_in_another_thread(peer: Peer) -> None:
    errors: list[str] = []

    def exchange() -> None:
        try:
            peer.link.exchange(b"", 1, soon(60))
        except JailError as error:
            errors.append(str(error))

    thread = threading.Thread(target=exchange)
    thread.start()
    time.sleep(0.1)
    closers = [threading.Thread(target=peer.link.close) for _ in range(4)]
    for each in closers:
        each.start()
    for each in (*closers, thread):
        each.join(5)
        assert not each.is_alive()
    assert errors == ["The jail was closed."]
    assert peer.removed == 1
    with pytest.raises(JailError, match="is closed"):
        peer.link.exchange(b"", 1, soon())


def test_a_forked_child_lets_the_jail_alone(peer: Peer) -> None:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            peer.link.close()
            try:
                peer.link.exchange(b"x", 0, soon())
            except JailError:
                code = peer.removed
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    peer.socket.sendall(frame(b"still here"))
    assert peer.link.exchange(b"hello", 10, soon()) == b"still here"
    assert peer.socket.recv(100) == b"hello"


def test_a_forked_child_doesnt_keep_the_parents_jail_alive(peer: Peer) -> None:
    hold, let_go = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(let_go)
        os.read(hold, 1)
        os._exit(0)
    os.close(hold)
    try:
        peer.link._connection.close()  # as if this process had died
        peer.socket.settimeout(5)
        assert peer.socket.recv(1) == b""
    finally:
        os.close(let_go)
        os.waitpid(pid, 0)
