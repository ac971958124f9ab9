"""The page in a real Chromium: filters, search, keyboard, two runs, and texts that attack it.

Fails in CI where there's no browser; is skipped with a reason elsewhere.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rlvr.evaluation.viewer.view import FILTERS, write_view
from tests.evaluation.view_runs import CORRECT, WRONG, mixed, rollout, write_run

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--window-size=1280,900",
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    binary = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    try:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
    except ImportError:
        binary = None
    if not binary or not driver:
        reason = "needs selenium, and Debian's chromium and chromium-driver"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = binary
        for flag in (*_FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        browser = webdriver.Chrome(options=options, service=Service(driver))
        browser.set_script_timeout(60)
        yield browser
        browser.quit()


class Page:
    """What a user sees and does."""

    def __init__(
        self,
        browser: Any,
        runs: tuple[Path, ...],
        part: str,
        show: str | None = None,
        by: str | None = None,
    ) -> None:
        self.browser = browser
        page = write_view(runs, show=show, by=by).path
        browser.get("about:blank")
        browser.get(f"{page.resolve().as_uri()}#{part}")
        self.until(lambda: self.js("return document.documentElement.dataset.ready") == "texts")

    def until(self, true: Callable[[], Any]) -> Any:
        from selenium.webdriver.support.wait import WebDriverWait

        return WebDriverWait(self.browser, 60, poll_frequency=0.02).until(lambda _: true())

    def js(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(script, *arguments)

    def tasks(self) -> list[str]:
        cells = "#rollouts tr[data-at] .c-task, #compare:not([hidden]) tr[data-at] .c-task"
        return self.js(f"return [...document.querySelectorAll('{cells}')].map(c => c.textContent)")

    def count(self) -> str:
        return self.js("return document.querySelector('.count').textContent")

    def click(self, selector: str) -> None:
        # In one step: rows are made anew when the table is drawn again.
        self.js("document.querySelector(arguments[0]).click()", selector)

    def keys(self, *keys: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.browser).send_keys(*keys).perform()

    def pane(self) -> str:
        return self.js(
            "const p = document.querySelector('#pane'); return p.hidden ? '' : p.textContent"
        )

    def errors(self) -> list[str]:
        return [entry["message"] for entry in self.browser.get_log("browser")]


Open = Callable[..., Page]


@pytest.fixture
def look(chromium: Any) -> Iterator[Open]:
    pages = []

    def opened(
        *runs: Path, part: str = "rollouts", show: str | None = None, by: str | None = None
    ) -> Page:
        pages.append(Page(chromium, runs, part, show, by))
        return pages[-1]

    yield opened
    for page in pages:
        assert page.errors() == []


@pytest.mark.parametrize(
    ("show", "tasks"),
    [
        ("all", ["t0", "t0", "t1", "t1", "t2", "t2", "t3", "t3"]),
        ("wrong", ["t1", "t2", "t3", "t3"]),
        ("unparsable", ["t2"]),
        ("unscored", ["t2"]),
        ("truncated", ["t3"]),
        ("disagreed", ["t1", "t1"]),
        ("longest", ["t3", "t0", "t0", "t1", "t1", "t2", "t2", "t3"]),
    ],
)
def test_filters(look: Open, tmp_path: Path, show: str, tasks: list[str]) -> None:
    page = look(mixed(tmp_path / "run"))
    page.click(f"[data-show={show}]")
    assert page.tasks() == tasks
    assert page.count() == f"{len(tasks)} of 8 rollouts"


def test_the_page_opens_with_the_filter_it_was_written_for(look: Open, tmp_path: Path) -> None:
    run = mixed(tmp_path / "run")
    page = look(run, part="", show="wrong")
    assert page.tasks() == ["t1", "t2", "t3", "t3"]
    assert page.js("return document.querySelector('[data-show=wrong]').ariaPressed") == "true"
    page.click("a[href='#summary']")
    page.until(lambda: page.js("return document.querySelector('#rollouts').hidden"))
    page = look(run, part="summary", show="wrong")
    assert page.js("return document.querySelector('#rollouts').hidden")
    page = look(run, part="")
    assert page.js("return document.querySelector('#rollouts').hidden")


def test_filters_by_name_are_the_pages(look: Open, tmp_path: Path) -> None:
    page = look(mixed(tmp_path / "run"))
    chips = "return [...document.querySelectorAll('[data-show]')].map(c => c.dataset.show)"
    assert tuple(page.js(chips)) == FILTERS


def test_search_is_over_all_texts_in_any_case(look: Open, tmp_path: Path) -> None:
    page = look(mixed(tmp_path / "run"))
    for text, tasks in (
        ("nEEdle \\BOXED{7}", ["t3"]),
        ("41 is not", ["t1"]),
        ("the-answer", ["t0"]),
        ("nowhere to be found", []),
    ):
        page.keys("/")
        page.keys(text)
        page.until(lambda tasks=tasks: page.tasks() == tasks)
        page.keys("\ue00c")  # Escape
        page.until(lambda: len(page.tasks()) == 8)


def test_a_rollout_opened_has_verdict_answer_gold_and_each_turn(look: Open, tmp_path: Path) -> None:
    page = look(mixed(tmp_path / "run"))
    page.click("tr[data-at='3']")
    text = page.until(page.pane)
    for part in (
        "incorrect",
        "reward 0",
        "41 is not 42.",
        "math0.25",
        "Question t1",
        "Response t1.1",
    ):
        assert part in text
    page.click("tr[data-at='0']")
    page.until(lambda: "Answerthe-answerGold42" in page.pane())
    page.click("tr[data-at='7']")
    page.until(lambda: '{"level": 12345678901234567890}' in page.pane())
    page.click("tr[data-at='5']")
    page.until(lambda: "unscored: gold" in page.pane() and "no reward" in page.pane())


def test_keyboard_alone(look: Open, tmp_path: Path) -> None:
    page = look(mixed(tmp_path / "run"))
    page.keys("j", "j", "j", "k")
    selected = "return document.querySelector('#rollouts [aria-selected=true]')?.dataset.at"
    assert page.js(selected) == "1"
    page.keys("\ue007")  # Enter
    page.until(lambda: "Response t0.1" in page.pane())
    assert page.js("return document.activeElement.id") == "pane"
    page.keys("j")
    page.until(lambda: "Response t1.0" in page.pane())
    page.keys("]")
    page.until(lambda: "Response t1.1" in page.pane())
    page.keys("\ue00c")
    page.until(lambda: page.pane() == "")
    assert page.js("return document.activeElement.getAttribute('role')") == "grid"
    page.keys("?")
    assert page.js("return document.querySelector('#help').open")
    page.keys("\ue00c")
    assert not page.js("return document.querySelector('#help').open")


HOSTILE = [
    "<script>window.owned = 1; alert(1)</script>",
    "</script><script>window.owned = 1</script>",
    "</title></style></textarea><img src=x onerror='window.owned = 1; alert(2)'>",
    "<svg onload=alert(3)><iframe srcdoc='<script>parent.owned=1</script>'>",
    "line\u2028and\u2029paragraph",
    "\u202egnp.exe\u202c \u2066isolated\u2069",
    "a lone \ud800 surrogate, a \x00 and a \x1b[31m",
    "مرحبا بالعالم – שלום 👩‍👩‍👧 🇩🇪 e\u0301",
    "javascript:alert(4) {{style}} ${window.owned = 1} `",
]


def test_hostile_texts_are_data_and_run_nothing(look: Open, tmp_path: Path) -> None:
    rows = []
    for i, text in enumerate(HOSTILE):
        verdict = {**CORRECT, "feedback": text, "components": {text: 1.0}}
        row = rollout(text, i, {**verdict, "detail": {"answer": text}}, text)
        rows.append({**row, "reference": text, "env": text, "part": text, "stop": text, text: text})
    run = write_run(tmp_path / "run", rows, [{"step": i, HOSTILE[0]: i} for i in range(3)])
    (run / "report.json").write_text('{"x": "</script><script>window.owned = 1</script>"}')
    page = look(run, part="summary")
    for i, text in enumerate(HOSTILE):
        page.js("location.hash = arguments[0]", f"#rollout-0-{i}")
        page.until(lambda i=i: page.js("return location.hash") == f"#rollout-0-{i}" and page.pane())
        page.until(lambda text=text: page.js(
            "return document.querySelector('#pane .message:nth-of-type(3) .text').textContent"
        ) == _spelled(text))  # fmt: skip
    page.browser.execute_script("location.hash = '#summary'")
    assert page.js("return window.owned") is None
    assert page.js("return document.querySelectorAll('img, iframe, main script').length") == 0
    # An open dialog would have made every call above fail; and the policy lets nothing else in.
    assert page.js("return [...document.scripts].filter(s => s.type !== 'text/plain').length") == 1


def _spelled(text: str) -> str:
    hidden = "\u2028\u2029\u202e\u202c\u2066\u2069\ud800\x00\x1b"
    return "".join(f"U+{ord(c):04X}" if c in hidden else c for c in text)


def test_the_policy_stops_a_script_that_is_not_ours(look: Open, tmp_path: Path) -> None:
    page = look(mixed(tmp_path / "run"))
    page.js(
        "const s = document.createElement('script'); s.textContent = 'window.owned = 1';"
        "document.body.append(s)"
    )
    assert page.js("return window.owned") is None
    assert any("Content Security Policy" in message for message in page.errors())


@pytest.mark.sweep
def test_a_rollout_of_a_megabyte_opens_and_shows_the_rest_when_asked(
    look: Open, tmp_path: Path
) -> None:
    text = "0123456789" * 100_000 + "the end"
    page = look(write_run(tmp_path / "run", [rollout("t", 0, CORRECT, text)]))
    page.click("tr[data-at='0']")
    assert "the end" not in page.until(page.pane)
    page.click("#pane .text button")
    assert "the end" in page.pane()


def test_two_runs_show_the_tasks_that_flipped_side_by_side(look: Open, tmp_path: Path) -> None:
    first = [rollout("lost", 0, CORRECT, "one"), rollout("won", 0, WRONG), rollout("s", 0, WRONG)]
    second = [rollout("s", 0, WRONG), rollout("won", 0, CORRECT), rollout("lost", 0, WRONG, "two")]
    page = look(write_run(tmp_path / "a", first), write_run(tmp_path / "b", second), part="compare")
    page.click("#compare [data-show=lost]")
    assert page.js("return document.querySelectorAll('#compare tr[data-at]').length") == 1
    page.click("#compare tr[data-at]")
    page.until(page.pane)
    articles = "return [...document.querySelectorAll('article')].map(a => a.textContent)"
    left, right = page.js(articles)
    assert "correct" in left
    assert "one" in left
    assert "incorrect" in right
    assert "two" in right
    page.keys("\ue00c")
    page.click("#compare [data-show=won]")
    cells = "return document.querySelector('#compare tr[data-at] .c-task').textContent"
    assert page.js(cells) == "won"


def judged(reward: float) -> dict[str, Any]:
    """Return the verdict of two judges, of whom one had no verdict."""
    one = {"reward": reward, "status": "correct", "feedback": "<b>agrees</b>", "detail": {"votes": [1, 0, 1]}}  # fmt: skip
    two = {"cause": "judge", "message": "nobody answered", "detail": {}}
    return {**CORRECT, "reward": reward, "detail": {"parts": {"strict judge": one, "lost": two}}}


@pytest.fixture
def three(tmp_path: Path) -> list[Path]:
    def rows(rewards: list[float]) -> list[dict[str, Any]]:
        return [
            rollout(f"t{i}", 0, judged(reward), metadata={"level": f"L{i % 2}"}, env="e")
            for i, reward in enumerate(rewards)
        ]

    rewards = {"base": [1, 1, 0, 0], "first": [0, 1, 1, 0], "second": [0, 0, 0, 1]}
    return [write_run(tmp_path / name, rows(own)) for name, own in rewards.items()]


def test_any_number_of_runs_is_shown_each_against_the_first(look: Open, three: list[Path]) -> None:
    page = look(*three, part="compare")
    rows = page.js("return [...document.querySelectorAll('#compare tr.whole th')].map(c => c.textContent)")  # fmt: skip
    assert rows == ["B e", "C e"]
    page.click("#compare [data-show=lost]")
    lost = "return [...document.querySelectorAll('#compare .c-task')].slice(1).map(c => c.textContent).sort()"  # fmt: skip
    assert page.js(lost) == ["t0"]
    page.keys(">")
    page.until(lambda: page.js(lost) == ["t0", "t1"])
    page.click("#compare tr[data-at]")
    page.until(page.pane)
    assert page.js("return document.querySelectorAll('article').length") == 3
    page.keys("2")
    page.until(lambda: not page.pane())
    for name in ("base", "first", "second"):
        chosen = "return document.querySelector('#run').selectedOptions[0].textContent"
        assert page.js(chosen).endswith(name)
        page.keys(">")


def test_each_judge_s_votes_and_reason_are_there(look: Open, three: list[Path]) -> None:
    page = look(three[0])
    page.click("tr[data-at='0']")
    page.until(page.pane)
    cells = "return [...document.querySelectorAll('.judged tbody tr')].map(r => [...r.children].map(c => c.textContent))"  # fmt: skip
    assert page.js(cells) == [
        ["strict judge", "correct", "1", "1 0 1", "<b>agrees</b>"],
        ["lost", "unscored: judge", "–", "", "nobody answered"],
    ]


def test_a_slice_is_a_filter_of_the_rollouts(look: Open, three: list[Path]) -> None:
    page = look(three[0], by="level")
    page.js(
        "const s = document.querySelector('#slice'); s.selectedIndex = 2; s.onchange({target: s})"
    )
    page.until(lambda: page.tasks() == ["t1", "t3"])


@pytest.mark.parametrize("width", [500, 1000, 1600])
def test_no_part_is_wider_than_the_window(look: Open, three: list[Path], width: int) -> None:
    page = look(*three, part="summary", by="level")
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        fits = "const e = document.documentElement; return e.scrollWidth <= e.clientWidth"
        for part in ("summary", "rollouts", "compare"):
            page.click(f"a[href='#{part}']")
            page.until(
                lambda part=part: not page.js(f"return document.querySelector('#{part}').hidden")
            )
            assert page.js(fits), part
        page.click("#compare tr[data-at]")
        page.until(page.pane)
        assert page.js(fits)
        reasons = "return [...document.querySelectorAll('.judged')].every(t => t.scrollWidth <= t.parentElement.clientWidth)"  # fmt: skip
        assert page.js(reasons)
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_rewards_of_several_runs_are_one_chart_of_shares(look: Open, three: list[Path]) -> None:
    page = look(*three, part="summary")
    charts = "return [...document.querySelectorAll('.charts .card')].map(c => c.querySelectorAll('svg').length)"  # fmt: skip
    assert page.js(charts) == [1] * len(
        page.js(charts)
    )  # two above each other leave holes beside them
    bars = "return [...document.querySelector('.charts svg').querySelectorAll('rect title')].map(t => t.textContent)"  # fmt: skip
    low = ["0: 2 (50%)", "0: 2 (50%)", "0: 3 (75%)"]
    assert page.js(bars) == [*low, "1: 2 (50%)", "1: 2 (50%)", "1: 1 (25%)"]


@pytest.mark.parametrize("width", [500, 1000, 1600])
def test_the_rows_of_rollouts_are_whole_at_each_width(
    look: Open, tmp_path: Path, width: int
) -> None:
    text = "a word and another " * 30 + "THE END"
    page = look(write_run(tmp_path / "run", [rollout(f"t{i}", 0, CORRECT, text) for i in range(3)]))
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        fits = "const s = document.querySelector('#rollouts .scroll'); return s.scrollWidth <= s.clientWidth"  # fmt: skip
        page.until(lambda: page.js(fits))
        end = """const cell = document.querySelector('td.c-excerpt'), range = document.createRange();
            range.selectNodeContents(cell);
            return range.getBoundingClientRect().right <= cell.getBoundingClientRect().right + 1"""
        assert width <= 1000 or page.js(end)
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.sweep
def test_ten_thousand_rollouts(look: Open, tmp_path: Path) -> None:
    def row(i: int) -> dict[str, Any]:
        verdict = CORRECT if i % 3 else WRONG
        return rollout(f"t{i // 8}", i % 8, verdict, f"number {i} of all. " * 100)

    page = look(write_run(tmp_path / "run", [row(i) for i in range(10_000)]))
    assert page.count() == "10,000 of 10,000 rollouts"
    assert len(page.tasks()) < 100  # only those in sight are elements
    page.js("document.querySelector('#rollouts .scroll').scrollTop = 1e9")
    page.until(lambda: page.tasks()[-1:] == ["t1249"])
    page.click("[data-show=wrong]")
    assert page.count() == "3,334 of 10,000 rollouts"
    page.keys("/")
    page.keys("number 9999 of")
    page.until(lambda: page.count() == "1 of 10,000 rollouts")
    page.keys("\ue007", "\ue007")
    page.until(lambda: "number 9999 of all" in page.pane())
