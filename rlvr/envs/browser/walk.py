"""A walk through the application without a browser: it finds the numbers of elements, for demonstrations.

The pages are made by the application itself, in this process; the numbering is that of `page_script`, in document order.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from rlvr.core.errors import RlvrError
from rlvr.core.tool_calls import MOST_CALLS, written_call
from rlvr.envs.browser import application

Step = list[str]
"""A step of a demonstration: ["open", path], ["click", label], ["type", label, text], ["select", label, option] or
["check", label], which is a click. A label is that of the element; the first element that has it is meant."""

_MOST_REDIRECTS = 5


class WalkError(RlvrError):
    """A step that the application has no element for."""


@dataclass(slots=True)
class Element:
    """An element of a page.

    Attributes:
        tag: a, button, input, select or textarea.
        attributes: those of its tag.
        label: its label, as the page's text has it.
        value: what it holds.
        form: the number of its form; None if it's in none.
        options: label and value of each option of a select.
        checked: True if it is chosen.
    """

    tag: str
    attributes: dict[str, str]
    label: str = ""
    value: str = ""
    form: int | None = None
    options: list[tuple[str, str]] = field(default_factory=list)
    checked: bool = False

    @property
    def is_hidden(self) -> bool:
        """True if the page doesn't show it."""
        return self.attributes.get("type") == "hidden"


class _Reader(HTMLParser):
    """Reads the elements and forms of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, str]] = []
        self.elements: list[Element] = []
        self._in_form = False
        self._label: list[Element] | None = None
        self._words = ""
        self._open: Element | None = None
        self._option = ("", False)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(attributes)
            self._in_form = True
        elif tag == "label":
            self._label, self._words = [], ""
        elif tag in ("a", "button", "input", "select", "textarea"):
            form = len(self.forms) - 1 if self._in_form else None
            element = Element(tag, attributes, attributes.get("aria-label", ""), form=form)
            element.value = attributes.get("value", "")
            element.checked = "checked" in attributes
            self.elements.append(element)
            if self._label is not None:
                self._label.append(element)
            if tag != "input":
                self._open = element
        elif tag == "option" and self._open is not None:
            self._open.options.append(("", attributes.get("value", "")))
            if "selected" in attributes or len(self._open.options) == 1:
                self._open.value = attributes.get("value", "")

    def handle_data(self, data: str) -> None:
        element = self._open
        if element is None:
            self._words += data
        elif element.tag == "select":
            if element.options:
                label, value = element.options[-1]
                element.options[-1] = (label + data, value)
        elif element.tag == "textarea":
            element.value += data if element.value or not data.startswith("\n") else data[1:]
        else:
            element.label += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._in_form = False
        elif tag == "label" and self._label is not None:
            for element in self._label:
                element.label = element.label or " ".join(self._words.split())
            self._label = None
        elif self._open is not None and tag == self._open.tag:
            self._open = None


class Walk:
    """A user of the application.

    Args:
        state: the application's state, of which it takes a copy.
    """

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = copy.deepcopy(state)
        self.path = "/"
        self._read("/")

    def take(self, step: Step) -> str:
        """Take a step; return it as a call. Raises `WalkError`."""
        kind, target = step[0], step[1]
        if kind == "open":
            self._read(target)
            return written_call("goto", path=target)
        number = self._number(kind, target)
        element = self.shown[number - 1]
        if kind == "type":
            element.value = step[2]
            return written_call("type", element=number, text=step[2])
        if kind == "select":
            element.value = next(value for label, value in element.options if label == step[2])
            return written_call("select", element=number, option=step[2])
        if element.tag == "a":
            self._read(urljoin(self.path, element.attributes["href"]))
        elif element.tag == "button":
            self._send(element)
        else:
            self._check(element)
        return written_call("click", element=number)

    @property
    def shown(self) -> list[Element]:
        """The elements that have numbers, in order."""
        return [element for element in self._elements if not element.is_hidden]

    def _number(self, kind: str, label: str) -> int:
        for number, element in enumerate(self.shown, 1):
            if kind == "type" and element.tag not in ("input", "textarea"):
                continue
            if kind == "select" and element.tag != "select":
                continue
            if kind == "check" and element.attributes.get("type") not in ("checkbox", "radio"):
                continue
            if kind == "click" and element.tag not in ("a", "button"):
                continue
            if " ".join(element.label.split()) == label:
                return number
        labels = ", ".join(repr(element.label) for element in self.shown)
        raise WalkError(f"{self.path} has no element to {kind} called {label!r}; it has: {labels}")

    def _check(self, element: Element) -> None:
        if element.attributes["type"] == "radio":
            for other in self._elements:
                if other.attributes.get("name") == element.attributes["name"]:
                    other.checked = False
            element.checked = True
        else:
            element.checked = not element.checked

    def _send(self, button: Element) -> None:
        if button.form is None:
            raise WalkError(f"{self.path}: the button {button.label!r} belongs to no form")
        form = self._forms[button.form]
        fields = [
            (element.attributes["name"], element.value)
            for element in self._elements
            if element.form == button.form
            and "name" in element.attributes
            and (element.checked or element.attributes.get("type") not in ("checkbox", "radio"))
        ]
        if form.get("method") == "post":
            self._read(form["action"], fields)
        else:
            self._read(f"{form['action']}?{urlencode(fields)}")

    def _read(self, path: str, sent: list[tuple[str, str]] | None = None) -> None:
        for _ in range(_MOST_REDIRECTS):
            parts = urlsplit(path)
            fields: dict[str, list[str]] = {}
            for name, value in sent or ():
                fields.setdefault(name, []).append(value)
            request = {
                "method": "GET" if sent is None else "POST",
                "path": parts.path,
                "query": parse_qs(parts.query, keep_blank_values=True),
                "fields": fields,
            }
            status, headers, page = application.answer(self.state, request)
            if status != 303:
                break
            path, sent = headers["Location"], None
        self.path = path
        reader = _Reader()
        reader.feed(page)
        self._elements, self._forms = reader.elements, reader.forms
        self.text = page


def messages_of(state: dict[str, Any], steps: list[Step]) -> tuple[str, ...]:
    """Return the messages of an episode that takes steps and finishes: as many calls in each as there may be.

    Raises `WalkError`.
    """
    walk = Walk(state)
    calls = [walk.take(step) for step in steps] + [written_call("finish")]
    return tuple(
        "\n".join(calls[first : first + MOST_CALLS]) for first in range(0, len(calls), MOST_CALLS)
    )
