"""A browser's jail: it reaches nothing but its pages, ends without a trace, and its death is a fault."""

from __future__ import annotations

import http.server
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.core.errors import SandboxError
from rlvr.sandboxes import browsers
from rlvr.sandboxes.browsers import ActionRefusedError, BrowserJail

LINKS = (
    "https://example.com/",
    "http://127.0.0.1:9/",
    "http://127.0.0.1:{port}/",
    "http://localhost:8000/",
    "http://169.254.169.254/latest/meta-data/",
    "//example.com/",
    "file:///etc/passwd",
    "view-source:http://127.0.0.1:8000/",
    "chrome://version",
    "javascript:document.title='run'",
    "data:text/html,hello",
    "about:blank",
    "ftp://127.0.0.1/",
    "mailto:somebody@example.com",
    "http://127.0.0.1:8000@example.com/",
    "http:\\\\\\\\example.com/",
)
REDIRECTS = (
    "https://example.com/",
    "http://127.0.0.1:{port}/",
    "file:///etc/passwd",
    "chrome://version",
)
SITE = '''
import html, os, socket
LINKS = %r
REDIRECTS = %r
SCRIPT = """
document.querySelector("#ask").onclick = () => {
  for (let i = 0; i < 3; i++) alert("no. " + i);
  document.title = confirm("sure?") && prompt("name?", "x") === "x" ? "asked" : "refused";
};
document.querySelector("#leave").onclick = () => { location = "http://127.0.0.1:%d/"; };
document.querySelector("#open").onclick = () => { window.open("/other"); window.open("https://example.com/"); };
document.querySelector("#fetch").onclick = async () => {
  const tried = [];
  for (const url of ["http://127.0.0.1:%d/", "https://example.com/", "http://169.254.169.254/", "file:///etc/passwd"])
    tried.push(await fetch(url, {mode: "no-cors"}).then(() => "reached " + url, () => "refused"));
  document.querySelector("#told").textContent = tried.join(" ");
};
addEventListener("beforeunload", event => { if (document.querySelector("#x").value) event.preventDefault(); });
"""

def reached(address):
    try:
        socket.create_connection(address, 2).close()
    except OSError as error:
        return "refused"
    return "reached"

def answer(state, request):
    path = request["path"]
    if path == "/script.js":
        return 200, {"Content-Type": "text/javascript", "Content-Security-Policy": ""}, SCRIPT
    if path == "/file":
        return 200, {"Content-Disposition": "attachment; filename=a", "Content-Type": "application/x-a"}, "data"
    if path == "/redirect":
        return 303, {"Location": request["query"]["to"][0]}, ""
    if path == "/break":
        raise RuntimeError("broken")
    if path == "/jail":
        tried = {str(a): reached(a) for a in (("127.0.0.1", state["port"]), ("169.254.169.254", 80), ("1.1.1.1", 443))}
        try:
            socket.socket(40, socket.SOCK_STREAM)
            tried["vsock"] = "reached"
        except OSError:
            tried["vsock"] = "refused"
        try:
            os.setuid(0)
            tried["root"] = "reached"
        except OSError:
            tried["root"] = "refused"
        for folder in state["folders"]:
            tried[folder] = "reached" if os.path.exists(folder) else "refused"
        state["tried"] = tried
    if request["method"] == "POST":
        state["sent"].append(request["fields"])
        return 303, {"Location": "/"}, ""
    said = "".join("<p>%%s</p>" %% html.escape(f["note"][0]) for f in state["sent"])
    links = "".join('<a href="%%s" target="_blank">out</a> ' %% html.escape(l) for l in LINKS)
    links += "".join('<a href="/redirect?to=%%s">in</a> ' %% html.escape(l) for l in REDIRECTS)
    form = '<form method="post"><label>Note <input id="x" name="note"></label><button>Save</button></form>'
    away = '<form action="https://example.com/"><button>Away</button></form>'
    buttons = "".join('<button id="%%s">%%s</button>' %% (n, n) for n in ("ask", "leave", "open", "fetch"))
    page = form + buttons + said + links + away + '<p id="told"></p><a href="/file">file</a>'
    return 200, {"Content-Security-Policy": ""}, "<title>Notes</title>" + page + '<script src="/script.js"></script>'
'''


class Listener:
    """A web server on the machine's own loopback, and the requests that have reached it."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        requests = self.requests

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                requests.append(self.path)
                self.send_response(200)
                self.end_headers()

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.server.shutdown()
    listener.server.server_close()


@pytest.fixture(scope="module")
def browser(listener: Listener) -> Iterator[BrowserJail]:
    if reason := browsers.why_not():
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    links = tuple(link.replace("{port}", str(listener.port)) for link in LINKS)
    redirects = tuple(link.replace("{port}", str(listener.port)) for link in REDIRECTS)
    site = SITE % (links, redirects, listener.port, listener.port)
    folders = [__file__, os.getcwd(), "/etc/passwd", "/etc/shadow"]
    state = {"sent": [], "port": listener.port, "folders": folders}
    with BrowserJail.launch(site, state) as browser:
        yield browser


def page(browser: BrowserJail, path: str = "/") -> dict[str, Any]:
    return browser.act({"do": "open", "path": path})


def number(text: str, element: str, after: int = 0) -> int:
    """Return the number of an element, such as `button "ask"`, from its place in the page's text."""
    place = text.index(f"] {element}", after)
    return int(text[text.rindex("[", 0, place) + 1 : place])


def test_no_link_leads_out(browser: BrowserJail, listener: Listener) -> None:
    text = page(browser)["page"]["text"]
    first = number(text, 'link "out"')
    for element in range(first, first + len(LINKS)):
        with pytest.raises(ActionRefusedError, match="leads out"):
            browser.act({"do": "click", "element": element})
    for place in range(len(REDIRECTS)):
        text = page(browser)["page"]["text"]
        answer = browser.act({"do": "click", "element": number(text, 'link "in"') + place})
        assert answer["notes"] == ["that page is not one of this site's"]
        assert answer["page"]["title"] == "Notes"
        assert page(browser, f"/redirect?to={REDIRECTS[place]}")["page"]["title"] == "Notes"
    with pytest.raises(ActionRefusedError, match="form leads out"):
        browser.act({"do": "click", "element": number(text, 'button "Away"')})
    assert listener.requests == []


def test_scripts_reach_nothing(browser: BrowserJail, listener: Listener) -> None:
    text = page(browser)["page"]["text"]
    for name in ("leave", "open", "fetch"):
        answer = browser.act({"do": "click", "element": number(text, f'button "{name}"')})
        assert answer["page"]["title"] == "Notes"
    told = ""
    while told.count("refused") + told.count("reached") < 4:
        told = browser.act({"do": "read"})["page"]["text"].rpartition("[")[0]
    assert "reached" not in told
    assert listener.requests == []
    assert number(page(browser, "/file")["page"]["text"], 'link "file"')  # nothing is downloaded


def test_the_jail_itself_reaches_nothing(browser: BrowserJail, listener: Listener) -> None:
    """Neither does a program in it, which no page asks first."""
    page(browser, "/jail")
    tried = browser.state()["tried"]
    assert {name for name, how in tried.items() if how != "refused"} == set()
    assert len(tried) == 9
    assert listener.requests == []


def test_text_is_no_page(browser: BrowserJail) -> None:
    note = "<script>document.title='run'</script><img src=x onerror=\"document.title='run'\"> &lt; \u202e ]0]"
    before = len(browser.state()["sent"])
    text = page(browser)["page"]["text"]
    browser.act({"do": "type", "element": number(text, 'textbox "Note"'), "text": note})
    answer = browser.act({"do": "click", "element": number(text, 'button "Save"')})
    assert answer["page"]["title"] == "Notes"
    assert "<script>document.title" in answer["page"]["text"]
    assert browser.state()["sent"][before:] == [{"note": [note]}]


def test_dialogs_are_answered(browser: BrowserJail) -> None:
    text = page(browser)["page"]["text"]
    answer = browser.act({"do": "click", "element": number(text, 'button "ask"')})
    assert answer["page"]["title"] == "asked"
    assert len(answer["notes"]) == 5
    browser.act({"do": "type", "element": number(text, 'textbox "Note"'), "text": "unsaved"})
    assert 'Note" = ""' in page(browser)["page"]["text"]  # it may be left


def test_what_can_not_be_done_is_refused(browser: BrowserJail) -> None:
    text = page(browser)["page"]["text"]
    button = number(text, 'button "Save"')
    for action in (
        {"do": "click", "element": 0},
        {"do": "click", "element": 10**6},
        {"do": "type", "element": button, "text": "x"},
        {"do": "select", "element": button, "option": "x"},
    ):
        with pytest.raises(ActionRefusedError):
            browser.act(action)
    for text in ("\0", "\u202e\ufffe", "a" * 4000, "\U0001f468\u200d\U0001f469" * 500, "\r\n\t"):
        assert "textbox" in browser.act({"do": "type", "element": 1, "text": text})["line"]


def processes_of(jail: BrowserJail) -> dict[int, str]:
    """Return the processes of a jail and their command lines, by pid."""
    link: Any = jail._link
    children: dict[int, list[int]] = {}
    names = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                stat = (entry / "stat").read_text()
                names[int(entry.name)] = (entry / "cmdline").read_bytes().decode("utf-8", "replace")
            except OSError:
                continue
            children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    found, queue = {}, [link._process.pid]
    while queue:
        pid = queue.pop()
        found[pid] = names.get(pid, "")
        queue += children.get(pid, [])
    return found


def test_death_is_a_fault_and_nothing_is_left() -> None:
    if browsers.why_not("bubblewrap"):
        pytest.skip("needs bubblewrap and Chromium")
    site = "def answer(state, request):\n    return 200, {}, str(state)"
    with BrowserJail.launch(site, {"n": 1}, backend="bubblewrap") as jail:
        assert page(jail)["page"]["text"] == "{'n': 1}"
        inside = processes_of(jail)
        chromium = [pid for pid, line in inside.items() if "--remote-debugging-pipe" in line]
        assert len(chromium) == 1
        os.kill(chromium[0], signal.SIGKILL)
        with pytest.raises(SandboxError, match="browser has ended"):
            page(jail)
    for pid, line in inside.items():
        path = Path(f"/proc/{pid}/cmdline")
        assert not path.exists() or path.read_bytes().decode("utf-8", "replace") != line or not line
    with pytest.raises(SandboxError, match="closed"):
        page(jail)


def test_a_site_that_fails_is_a_fault() -> None:
    if browsers.why_not():
        pytest.skip("needs Chromium")
    with BrowserJail.launch("def answer(state, request):\n    return 1 / 0", {}) as jail:
        assert "failed" in page(jail)["page"]["text"]
        with pytest.raises(SandboxError, match="ZeroDivisionError"):
            jail.state()


def test_no_chromium_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLVR_CHROMIUM", "/nowhere/chromium")
    reason = browsers.why_not("bubblewrap")
    assert reason is not None
    assert "apt-get install chromium" in reason
    with pytest.raises(SandboxError, match="apt-get install chromium"):
        BrowserJail.launch("", {}, backend="bubblewrap")


AS_USER = """
import os
from rlvr.sandboxes.browsers import BrowserJail
site = "def answer(state, request):\\n    state['n'] += 1\\n    return 200, {}, '<a href=https://example.com>out</a>'"
with BrowserJail.launch(site, {"n": 1}, backend="bubblewrap") as jail:
    print(jail.act({"do": "open", "path": "/"})["page"]["text"], jail.state()["n"] > 1)
"""


@pytest.mark.sweep
def test_an_ordinary_user_has_browsers_too() -> None:
    if os.geteuid() != 0:
        pytest.skip("it's an ordinary user that runs all these tests")
    python = shutil.which("python3", path="/usr/bin:/bin")
    asked = [python or "false", "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    if browsers.why_not("bubblewrap") or subprocess.run(asked).returncode != 0:
        pytest.skip("needs Chromium, and a Python from 3.11 on that every user may run")
    package = Path(rlvr.__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "rlvr")
        shutil.copytree(package / "sandboxes", copy / "sandboxes")
        (copy / "core").mkdir()
        for name in ("__init__.py", "core/__init__.py"):
            (copy / name).touch()
        for name in ("errors.py", "files.py", "lazy.py", "secrets.py"):
            shutil.copy(package / "core" / name, copy / "core")
        stand_in = "class error:\n    class ResetNeeded(Exception): pass\n"
        Path(folder, "gymnasium.py").write_text(stand_in)  # for a base class of one error
        Path(folder).chmod(0o755)
        done = subprocess.run(
            [*asked[:1], "-c", AS_USER],
            env={"PYTHONPATH": folder, "PATH": os.environ["PATH"], "HOME": "/nonexistent"},
            cwd="/",
            user=12345,
            group=12345,
            extra_groups=[],
            capture_output=True,
            text=True,
            timeout=300,
        )
    assert (done.stdout, done.stderr) == ('[1] link "out" True\n', "")
