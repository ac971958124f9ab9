"""A jail with a browser in it: pid 1 starts a site on loopback and a Chromium, and passes a user's actions on to it.

Three processes with a user id of their own each: this one, which the host talks to; the site, which holds the state; and
the browser, which has neither the state nor the link to the host. All run under a filter of system calls.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from . import filter as seccomp
from . import frames, jail, kernel, site
from .cells import has_many_users, new_uid
from .devtools import ActionError, BrowserError, Tab

_SCRATCH = "/tmp"
_FLAGS = kernel.NOSUID | kernel.NODEV | kernel.NOEXEC
_FEATURES_OFF = (
    "WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup", "PreloadTopChromeWebUI", "InitialWebUI",
    "WebUIReloadButton", "SpareRendererForSitePerProcess", "OptimizationHints", "Translate", "MediaRouter",
    "AutofillServerCommunication", "HttpsUpgrades", "DialMediaRouteProvider",
)  # fmt: skip
_ARGUMENTS = (
    "--headless", "--no-sandbox", "--remote-debugging-pipe", "--no-startup-window", "--in-process-gpu",
    "--disable-gpu", "--disable-software-rasterizer", "--disable-dev-shm-usage", "--disable-extensions",
    "--disable-component-update", "--disable-component-extensions-with-background-pages", "--disable-background-networking",
    "--disable-sync", "--disable-default-apps", "--disable-breakpad", "--disable-crash-reporter", "--disable-notifications",
    "--disable-speech-api", "--disable-file-system", "--no-first-run", "--no-default-browser-check", "--no-pings", "--mute-audio",
    "--password-store=basic", "--use-mock-keychain", "--renderer-process-limit=1", "--block-new-web-contents",
    "--no-proxy-server", "--window-size=1280,2000", "--lang=en-US", "--user-data-dir=/tmp/profile",
    # The browser's names lead nowhere, whatever a page asks for.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--disable-features=" + ",".join(_FEATURES_OFF),
)  # fmt: skip


def main() -> None:
    """Serve the host on descriptors 0 and 1 until it hangs up; then everything in the jail ends."""
    link_in, link_out = os.dup(0), os.dup(1)
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    first = frames.receive(link_in)
    if first is None:
        os._exit(0)
    header, blobs = first
    try:
        session = _Session(header, blobs, (link_in, link_out))
    except (OSError, BrowserError) as error:
        frames.send(link_out, {"fault": "no browser: %s" % error})
        os._exit(1)
    frames.send(link_out, {"url": session.tab.origin})
    while (request := frames.receive(link_in)) is not None:
        try:
            answer = session.act(request[0])
        except ActionError as error:
            answer = {"error": str(error)}
        except (OSError, BrowserError, ValueError, KeyError, TypeError) as error:
            answer = {"fault": "%s: %s" % (type(error).__name__, error)}
        frames.send(link_out, answer)
    os._exit(0)


class _Session:
    def __init__(self, header: dict[str, Any], blobs: list[bytes], link: tuple[int, int]) -> None:
        kernel.dumpable(False)
        jail.furnish(files=False)
        options = "size=%dm,nr_inodes=20000,mode=1777" % header["disk_mb"]
        kernel.mount("tmpfs", _SCRATCH, _FLAGS, options)
        users = [new_uid() if has_many_users() else None for _ in range(3)]
        ours, theirs = socket.socketpair()
        served = site.listening()
        if os.fork() == 0:
            _close(ours.fileno(), *link)
            _confine(users[0])
            site.serve(theirs, served, blobs[0].decode(), blobs[1].decode())
        theirs.close()
        served.close()
        self._site = ours
        to_browser, from_browser = os.pipe(), os.pipe()
        if os.fork() == 0:
            try:
                _confine(users[1], folder=_SCRATCH)
                # Chromium reads on descriptor 3 and writes on 4.
                os.dup2(to_browser[0], 20)
                os.dup2(from_browser[1], 21)
                os.dup2(20, 3)
                os.dup2(21, 4)
                os.closerange(5, 4096)
                environment = {
                    "PATH": os.environ["PATH"],
                    "HOME": _SCRATCH,
                    "LANG": "C.UTF-8",
                    "TMPDIR": _SCRATCH,
                }
                os.dup2(1, 2)
                os.execve(header["chromium"], [header["chromium"], *_ARGUMENTS], environment)
            except BaseException as error:
                os.write(2, b"%r" % error)
            finally:
                os._exit(127)
        os.close(to_browser[0])
        os.close(from_browser[1])
        _confine(users[2])
        self.tab = Tab(from_browser[0], to_browser[1], site.ORIGIN, header["start_s"], link[0])

    def act(self, message: dict[str, Any]) -> dict[str, Any]:
        """Do one thing for the host and return the answer."""
        _reap()
        if message["do"] == "state":
            frames.send(self._site.fileno(), {})
            answer = frames.receive(self._site.fileno())
            if answer is None:
                raise BrowserError("the site has ended")
            return answer[0]
        return self.tab.act(message)


def _close(*fds: int) -> None:
    for fd in fds:
        os.close(fd)


def _confine(uid: int | None, folder: str = "/") -> None:
    """Give up all privilege, for good; take a user id of its own if there are several."""
    os.umask(0o077)
    os.chdir(folder)
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    kernel.drop_capabilities()
    kernel.no_new_privileges()
    seccomp.for_browsers().install()
    kernel.dumpable(False)


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
