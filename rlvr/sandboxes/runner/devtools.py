"""A browser's tab, driven by the Chrome DevTools Protocol over two pipes: actions by element, and the page as text.

Every request of the tab is stopped here first, and goes on only if it is to the site.
"""

from __future__ import annotations

import json
import os
import select
import time
from typing import Any

from .page_script import SCRIPT

_ACTION_S = 60.0  # for an action and the pages that it loads, on a busy machine
_BEGIN_S = 5.0  # until a navigation that was asked for begins
_MOST_MESSAGE = 1 << 26  # bytes
_MOST_REDIRECTS = 30
_MOST_DIALOGS = 20
KEYS = {
    "Enter": (13, "\r"), "Tab": (9, ""), "Escape": (27, ""), "Space": (32, " "), "Backspace": (8, ""), "Delete": (46, ""),
    "ArrowUp": (38, ""), "ArrowDown": (40, ""), "ArrowLeft": (37, ""), "ArrowRight": (39, ""), "Home": (36, ""),
    "End": (35, ""), "PageUp": (33, ""), "PageDown": (34, ""),
}  # fmt: skip


class BrowserError(Exception):
    """The browser has died or doesn't answer: a fault of the jail."""


class ActionError(Exception):
    """The user asked for what can't be done."""


class Tab:
    """The only tab of a browser.

    Args:
        read: the descriptor that the browser writes to.
        write: the descriptor that it reads from.
        origin: the site's, the only one that may be asked for anything.
        start_s: seconds until the browser has started.
        owner: the descriptor of the host's requests. If it hangs up during an action, everything ends.

    Raises `BrowserError` if it doesn't.
    """

    def __init__(self, read: int, write: int, origin: str, start_s: float, owner: int) -> None:
        self.origin = origin
        self._read, self._write, self._owner = read, write, owner
        self._data = bytearray()
        self._number = 0
        self._session = ""
        self._answers: dict[int, dict[str, Any]] = {}
        self._notes: list[str] = []
        self._dialogs = 0
        self._loading = self._asked = False
        self._frame = ""
        self._context = 0
        self._deadline = time.monotonic() + start_s
        self._call("Browser.setDownloadBehavior", behavior="deny")
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        self._call("Page.enable")
        self._call("Inspector.enable")
        self._call("Fetch.enable", patterns=[{"urlPattern": "*"}])
        self._call("Emulation.setFocusEmulationEnabled", enabled=True)
        self._frame = self._call("Page.getFrameTree")["frameTree"]["frame"]["id"]

    def act(self, message: dict[str, Any]) -> dict[str, Any]:
        """Do one action; return the page as text, or the element alone if it has only been filled in."""
        self._deadline = time.monotonic() + _ACTION_S
        self._notes, self._dialogs = [], 0
        self._pump()
        name = message["do"]
        if name == "open":
            self._navigate(self.origin + message["path"])
        elif name == "back":
            self._back()
        elif name == "press":
            self._press(message["key"])
        elif name == "click":
            clicked = self._script("click(%d)" % message["element"])
            if "line" in clicked:
                return self._filled(clicked["line"])
        elif name == "select":
            line = self._script(
                "select(%d, %s)" % (message["element"], json.dumps(message["option"]))
            )
            return self._filled(line)
        elif name == "type":
            return self._filled(self._type(message["element"], message["text"]))
        self._settle()
        self._stay()
        page = self._script("page()", fresh=True)
        return {"page": page, "notes": self._notes}

    def _filled(self, line: Any) -> dict[str, Any]:
        self._settle()
        return {"line": str(line), "notes": self._notes}

    # ---------------------------------------------------------------- actions

    def _navigate(self, url: str) -> None:
        self._loading = True
        answer = self._call("Page.navigate", url=url)
        if answer.get("errorText"):
            self._notes.append("the page could not be opened")

    def _back(self) -> None:
        history = self._call("Page.getNavigationHistory")
        before = [
            entry
            for entry in history["entries"][: history["currentIndex"]]
            if entry["url"].startswith(self.origin + "/")
        ]
        if not before:
            raise ActionError("there's no page to go back to")
        self._loading = True
        self._call("Page.navigateToHistoryEntry", entryId=before[-1]["id"])

    def _press(self, key: str) -> None:
        code, text = KEYS[key]
        name = " " if key == "Space" else key
        event = {"key": name, "code": key, "windowsVirtualKeyCode": code}
        if text:
            event["text"] = text
        self._call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **event)
        event.pop("text", None)
        self._call("Input.dispatchKeyEvent", type="keyUp", **event)

    def _type(self, element: int, text: str) -> Any:
        asked = self._script("fill(%d, %s)" % (element, json.dumps(text)))
        if asked["insert"]:
            self._call("Input.insertText", text=text)
        return self._script("filled(%d)" % element)

    def _stay(self) -> None:
        """Go back to the site if the tab shows anything else."""
        for _ in range(3):
            frame = self._call("Page.getFrameTree")["frameTree"]["frame"]
            if "unreachableUrl" not in frame and frame["url"].startswith(self.origin + "/"):
                return
            if frame["url"] == "about:blank" and not self._notes:
                self._navigate(self.origin + "/")
            else:
                self._notes.append("that page is not one of this site's")
                history = self._call("Page.getNavigationHistory")
                mine = [e for e in history["entries"] if e["url"].startswith(self.origin + "/")]
                if mine and "unreachableUrl" not in frame:
                    self._loading = True
                    self._call("Page.navigateToHistoryEntry", entryId=mine[-1]["id"])
                else:
                    self._navigate(self.origin + "/")
            self._settle()
        raise BrowserError("the tab does not return to the site")

    def _settle(self) -> None:
        """Wait until what an action has begun has loaded."""
        # A click's default action may be queued behind the click, so its tasks are let pass first.
        for _ in range(2):
            self._ask(
                "Runtime.evaluate",
                expression="new Promise(f => setTimeout(f, 0))",
                awaitPromise=True,
            )
        begin = time.monotonic() + _BEGIN_S
        while self._asked and not self._loading and time.monotonic() < begin:
            self._receive(begin)
        self._asked = False
        while self._loading:
            self._receive(self._deadline)
            if time.monotonic() > self._deadline:
                raise BrowserError("a page did not load in time")

    def _script(self, call: str, fresh: bool = False) -> Any:
        """Call a function of the page script, in a world of its own that the page's scripts can't see.

        Args:
            call: the call.
            fresh: True if the page may have changed since the last call.
        """
        for _ in range(3):
            if fresh or not self._context:
                world = self._ask("Page.createIsolatedWorld", frameId=self._frame, worldName="rlvr")
                self._context = world.get("result", {}).get("executionContextId", 0)
            answer = self._ask(
                "Runtime.evaluate",
                expression="%s; rlvr.%s" % (SCRIPT, call),
                contextId=self._context,
                returnByValue=True,
                userGesture=True,
            )
            if "error" in answer:  # the page went away meanwhile
                if not fresh:
                    if "context" in str(answer["error"]).lower() and not call.startswith("page"):
                        return {"insert": False}
                    raise BrowserError(str(answer["error"])[:500])
                self._context = 0
                self._settle()
                continue
            result = answer["result"]
            if "exceptionDetails" in result:
                raise BrowserError(json.dumps(result["exceptionDetails"])[:1000])
            value = result["result"].get("value")
            if isinstance(value, dict) and "refused" in value:
                raise ActionError(value["refused"])
            return value
        raise BrowserError("the page does not hold still")

    # ---------------------------------------------------------------- protocol

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        answer = self._ask(method, **parameters)
        if "error" in answer:
            raise BrowserError("%s: %s" % (method, str(answer["error"])[:500]))
        result: dict[str, Any] = answer["result"]
        return result

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = self._send(method, parameters)
        while number not in self._answers:
            self._receive(self._deadline)
            if number not in self._answers and time.monotonic() > self._deadline:
                raise BrowserError("%s: no answer in time" % method)
        answers, self._answers = self._answers, {}
        return answers[number]

    def _send(self, method: str, parameters: dict[str, Any]) -> int:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session and not method.startswith(("Target.", "Browser.")):
            message["sessionId"] = self._session
        left = memoryview(json.dumps(message).encode() + b"\0")
        try:
            while left:
                left = left[os.write(self._write, left) :]
        except OSError:
            raise BrowserError("the browser has ended") from None
        return self._number

    def _pump(self) -> None:
        """Take in what has arrived meanwhile."""
        while self._receive(0.0):
            pass

    def _receive(self, deadline: float) -> bool:
        """Take in one message if one comes before the deadline."""
        while (end := self._data.find(b"\0")) < 0:
            left = max(0.0, deadline - time.monotonic())
            ready = select.select([self._read, self._owner], [], [], left)[0]
            if self._owner in ready:  # it sends nothing before it is answered
                os._exit(0)
            if not ready:
                return False
            data = os.read(self._read, 1 << 18)
            if not data:
                raise BrowserError("the browser has ended")
            self._data += data
            if len(self._data) > _MOST_MESSAGE:
                raise BrowserError("the browser says too much")
        message = json.loads(bytes(self._data[:end]))
        del self._data[: end + 1]
        if "id" in message:
            self._answers[message["id"]] = message
        else:
            self._event(message["method"], message.get("params", {}))
        return True

    def _event(self, name: str, about: dict[str, Any]) -> None:
        if name == "Fetch.requestPaused":
            url, id = about["request"]["url"], about["requestId"]
            if url.startswith(self.origin + "/"):
                self._send("Fetch.continueRequest", {"requestId": id})
            else:
                self._send("Fetch.failRequest", {"requestId": id, "errorReason": "BlockedByClient"})
        elif name == "Page.javascriptDialogOpening":
            self._dialogs += 1
            if about["type"] != "beforeunload" and self._dialogs <= _MOST_DIALOGS:
                self._notes.append('accepted the message "%s"' % about["message"][:500])
            self._send(
                "Page.handleJavaScriptDialog",
                {"accept": True, "promptText": about.get("defaultPrompt", "")},
            )
        elif name in ("Page.frameRequestedNavigation", "Page.frameScheduledNavigation"):
            self._asked = self._asked or about["frameId"] == self._frame
        elif name in ("Page.frameStartedLoading", "Page.frameStartedNavigating"):
            if about["frameId"] == self._frame and "ameDocument" not in about.get(
                "navigationType", ""
            ):
                self._loading, self._context = True, 0
        elif name in ("Page.frameStoppedLoading", "Page.navigatedWithinDocument"):
            if about["frameId"] == self._frame:
                self._loading = self._asked = False
        elif name in ("Inspector.targetCrashed", "Inspector.detached", "Target.targetCrashed"):
            raise BrowserError("the tab has crashed")
