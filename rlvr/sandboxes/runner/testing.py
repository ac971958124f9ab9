"""The tests' side: run the tests, with the solution's functions as proxies.

No code of the solution's runs here, and what it answers is plain data made anew, or a handle. Whatever it
sends, it's a test that fails by it: what can't be made sense of must never look like a fault of ours, nor like
tests that can't be run, for then there would be no reward where there should be none.
"""

from __future__ import annotations

import json
import os
import resource
import socket
import sys
from typing import Any

from . import python
from .files import keep_only, read
from .peer import Gone
from .remote import Broken
from .report import DONE, TestReport
from .session import Session

CALM, UPSET = b"+", b"-"  # whether the process that judges many may go on
_MOST_GROWN = 32 << 10  # KiB of resident memory that it may have had at once since it began


def judge(channel: int, report: int, tests: int) -> None:
    """Run the tests that the file `tests` has, write what came of them to `report`. Never returns."""
    message = json.loads(read(tests))
    keep_only([channel, report])
    python.set_up()
    judged(channel, message, report)
    os._exit(0)


def judge_many(control: int) -> None:
    """Run tests one after the other, for as long as nothing unusual happens. Never returns.

    For tests that only compare what calls return: what they could leave behind is a process that something
    odd has happened to, and this one ends then.
    """
    keep_only([control])
    python.set_up()
    broker = socket.socket(fileno=control)
    usual = True
    most = _peak() + _MOST_GROWN
    while usual:
        data, fds, _, _ = socket.recv_fds(broker, 1, 3)
        if not data:
            break
        channel, report, tests = fds
        # Memory that large values took isn't given back, whether or not they're still there.
        usual = judged(channel, json.loads(read(tests)), report) and _peak() < most
        os.close(report)
        os.close(tests)
        broker.send(CALM if usual else UPSET)
    os._exit(0)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def judged(channel: int, message: dict[str, Any], report: int) -> bool:
    """Run tests and report; returns whether all they did was to pass or to fail."""
    notes = TestReport(report)
    session = Session(channel, message, notes)
    try:
        session.run()
        usual = session.usual
    except Broken as error:
        notes.add("broken", str(error))
        usual = False
    except Gone as error:
        notes.add("gone", str(error))
        usual = False
    except BaseException as error:
        # Until it has answered, nothing can be the solution's doing; from then on everything may be.
        notes.add("broken" if notes.is_preparing else "gone", type(error).__name__)
        usual = False
    notes.state(DONE)
    notes.close()
    session.hang_up()
    sys.modules.pop("tests", None)
    return usual
