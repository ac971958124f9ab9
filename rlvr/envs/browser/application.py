"""The application that the tasks of `browser` are done in: pages for tables, as their schema says. Standard library alone.

It runs in the browser's jail, to which its source is sent. The state is `{"app": schema, "tables": {name: [row, …]}}`. A table
of a schema has:

    label, one      its name, and that of a row
    title           the field by which a row is called
    fields          name, label, kind (text, long, number, choice, radio, date, time, flag), and perhaps options, required,
                    min, max, pattern, says (the error), fixed (never edited), default
    list            the fields of the list; find, filters, sorts: what the list can be searched, filtered and sorted by
    can             which of add, edit, delete may be done
    actions         name, label, and perhaps when, set, ask, add, confirm
    steps           the fields of each page, if a row is added by several pages
    apart           fields of rows that may not overlap: same (a list), from, to
    sheet           fields of all rows that are edited on one page
    single          True if it has one row, which is edited
"""

from __future__ import annotations

import datetime
import html
import re
from typing import Any, TypeAlias

Answer: TypeAlias = tuple[int, dict[str, str], str]

_MOST_TEXT = 4000
_MOST_ROWS = 2000
_SCRIPT = """
for (const form of document.forms) {
  const first = new URLSearchParams(new FormData(form)).toString();
  form.addEventListener("submit", event => {
    form.sent = true;
    if (form.dataset.confirm && !confirm(form.dataset.confirm)) { event.preventDefault(); form.sent = false; }
  });
  addEventListener("beforeunload", event => {
    const any = [...document.forms].some(other => other.sent);
    if (!any && new URLSearchParams(new FormData(form)).toString() !== first) event.preventDefault();
  });
}
"""


def answer(state: dict[str, Any], request: dict[str, Any]) -> Answer:
    """Return the answer to a request: a status, headers and a page."""
    parts = [part for part in request["path"].split("/") if part]
    if request["path"] == "/app.js":
        return 200, {"Content-Type": "text/javascript"}, _SCRIPT
    try:
        if not parts:
            return _page(state, "Home", _home(state))
        if parts[0] == "t" and len(parts) > 1 and parts[1] in state["app"]["tables"]:
            return _Table(state, parts[1]).answer(parts[2:], request)
    except _Missing:
        pass
    return _page(state, "Not found", "<h1>There's no such page</h1>", 404)


def final(state: dict[str, Any]) -> dict[str, Any]:
    """Return what is judged: the rows."""
    return {"tables": state["tables"]}


class _Missing(Exception):
    """There is no such page."""


class _Table:
    def __init__(self, state: dict[str, Any], name: str) -> None:
        self.state = state
        self.name = name
        self.schema: dict[str, Any] = state["app"]["tables"][name]
        self.rows: list[dict[str, Any]] = state["tables"][name]
        self.fields = {field["name"]: field for field in self.schema["fields"]}
        self.path = f"/t/{name}"

    def answer(self, parts: list[str], request: dict[str, Any]) -> Answer:
        post = request["method"] == "POST"
        can = self.schema.get("can", ())
        if not parts:
            if self.schema.get("single"):
                return _to(f"{self.path}/{self.rows[0]['id']}/edit")
            return _page(self.state, self.schema["label"], self._list(request["query"]))
        if parts == ["sheet"] and self.schema.get("sheet"):
            return self._sheet(request["fields"] if post else None)
        if parts == ["new"] and "add" in can:
            return self._new(request["fields"] if post else None)
        row = self._row(parts[0])
        if len(parts) == 1:
            return _page(self.state, str(row[self.schema["title"]]), self._view(row))
        if parts[1:] == ["edit"] and "edit" in can:
            return self._edit(row, request["fields"] if post else None)
        if parts[1:] == ["delete"] and "delete" in can and post:
            self.rows.remove(row)
            return _to(self.path)
        if len(parts) == 3 and parts[1] == "do":
            return self._action(row, parts[2], request["fields"] if post else None)
        raise _Missing

    def _row(self, id: str) -> dict[str, Any]:
        for row in self.rows:
            if str(row["id"]) == id:
                return row
        raise _Missing

    # ---------------------------------------------------------------- pages

    def _list(self, query: dict[str, list[str]]) -> str:
        schema = self.schema
        sought = query.get("q", [""])[0].strip().casefold()
        rows = self.rows
        controls = ""
        if schema.get("find"):
            controls += _label(
                "Search", f'<input name="q" value="{_text(query.get("q", [""])[0])}">'
            )
            if sought:
                rows = [
                    row
                    for row in rows
                    if any(sought in str(row[name]).casefold() for name in schema["find"])
                ]
        for name in schema.get("filters", ()):
            chosen = query.get(name, [""])[0]
            options = [("", "any"), *((shown, shown) for shown in self._values(name))]
            controls += _label(self.fields[name]["label"], _select(name, options, chosen))
            if chosen:
                rows = [row for row in rows if _shown(row[name]) == chosen]
        if schema.get("sorts"):
            chosen = query.get("sort", [""])[0]
            options = [("", "as entered")]
            options += [(name, self.fields[name]["label"]) for name in schema["sorts"]]
            controls += _label("Sort by", _select("sort", options, chosen))
            if chosen in schema["sorts"]:
                rows = sorted(rows, key=lambda row: (str(type(row[chosen])), row[chosen]))
        out = [f"<h1>{_text(schema['label'])}</h1>"]
        if controls:
            out.append(f'<form action="{self.path}">{controls}<button>Show</button></form>')
        size = int(schema.get("per_page", 10))
        pages = max(1, -(-len(rows) // size))
        page = _whole(query.get("page", ["1"])[0], 1, pages)
        heads = "".join(f"<th>{_text(self.fields[name]['label'])}</th>" for name in schema["list"])
        out.append(f"<table><tr>{heads}</tr>")
        for row in rows[(page - 1) * size : page * size]:
            cells = "".join(
                f"<td>{self._link(row) if name == schema['title'] else _text(_shown(row[name]))}</td>"
                for name in schema["list"]
            )
            out.append(f"<tr>{cells}</tr>")
        out.append("</table>")
        out.append(f"<p>{_text(schema['label'])}: {len(rows)}, page {page} of {pages}</p><p>")
        for label, other in (("Previous", page - 1), ("Next", page + 1)):
            if 1 <= other <= pages:
                out.append(f'<a href="{self.path}?{_query(query, other)}">{label}</a> ')
        out.append("</p>")
        if "add" in schema.get("can", ()):
            out.append(f'<p><a href="{self.path}/new">New {_text(schema["one"])}</a></p>')
        if schema.get("sheet"):
            out.append(f'<p><a href="{self.path}/sheet">Edit all</a></p>')
        return "".join(out)

    def _link(self, row: dict[str, Any]) -> str:
        return f'<a href="{self.path}/{row["id"]}">{_text(_shown(row[self.schema["title"]]))}</a>'

    def _values(self, name: str) -> list[str]:
        field = self.fields[name]
        if field["kind"] == "flag":
            return ["yes", "no"]
        return field.get("options") or sorted({_shown(row[name]) for row in self.rows})

    def _view(self, row: dict[str, Any]) -> str:
        out = [f"<h1>{_text(_shown(row[self.schema['title']]))}</h1><table>"]
        for name, field in self.fields.items():
            shown = _text(_shown(row[name])).replace("\n", "<br>")
            out.append(f"<tr><th>{_text(field['label'])}</th><td>{shown}</td></tr>")
        out.append("</table>")
        for action in self.schema.get("actions", ()):
            if not _holds(row, action.get("when")):
                continue
            place = f"{self.path}/{row['id']}/do/{action['name']}"
            if action.get("ask"):
                out.append(f'<p><a href="{place}">{_text(action["label"])}</a></p>')
            else:
                out.append(_form(place, "", action["label"], action.get("confirm", "")))
        can = self.schema.get("can", ())
        if "edit" in can:
            out.append(f'<p><a href="{self.path}/{row["id"]}/edit">Edit</a></p>')
        if "delete" in can:
            confirm = f"Delete this {self.schema['one']}?"
            out.append(_form(f"{self.path}/{row['id']}/delete", "", "Delete", confirm))
        out.append(
            f'<p><a href="{self.path}">Back to {_text(self.schema["label"].lower())}</a></p>'
        )
        return "".join(out)

    def _edit(self, row: dict[str, Any], sent: dict[str, list[str]] | None) -> Answer:
        fields = [field for field in self.fields.values() if not field.get("fixed")]
        title = f"Edit {self.schema['one']}"
        values: dict[str, Any] = dict(row)
        errors: list[str] = []
        if sent is not None:
            values, errors = self._read(fields, sent)
            errors = errors or self._apart({**row, **values})
            if not errors:
                row.update(values)
                if self.schema.get("single"):
                    return _page(self.state, title, "<h1>Saved</h1><p>Your changes are saved.</p>")
                return _to(f"{self.path}/{row['id']}")
        place = f"{self.path}/{row['id']}/edit"
        body = _form(place, _errors(errors) + _inputs(fields, values), "Save")
        return _page(self.state, title, f"<h1>{_text(title)}</h1>{body}")

    def _new(self, sent: dict[str, list[str]] | None) -> Answer:
        schema = self.schema
        steps = schema.get("steps") or [[n for n, f in self.fields.items() if not f.get("fixed")]]
        title = f"New {schema['one']}"
        step = 0 if sent is None else _whole(sent.get("step", ["0"])[0], 0, len(steps))
        values = {name: field.get("default", "") for name, field in self.fields.items()}
        errors: list[str] = []
        if sent is not None:
            # What earlier pages have taken comes along, and is checked again.
            for number in range(min(step + 1, len(steps))):
                read, wrong = self._read([self.fields[name] for name in steps[number]], sent)
                values.update(read)
                if wrong:
                    step, errors = number, wrong
                    break
            else:
                errors = self._apart(values) if step >= len(steps) - 1 else []
                if not errors:
                    step += 1
            if not errors and step > len(steps) - (not schema.get("steps")):
                return self._added(values)
        if step == len(steps):
            rows = "".join(
                f"<tr><th>{_text(self.fields[name]['label'])}</th><td>{_text(_shown(values[name]))}</td></tr>"
                for names in steps
                for name in names
            )
            body, button = f"<p>Check what you have entered.</p><table>{rows}</table>", "Confirm"
        else:
            body = _errors(errors) + _inputs([self.fields[name] for name in steps[step]], values)
            button = "Next" if schema.get("steps") else "Save"
        kept = [name for number in range(min(step, len(steps))) for name in steps[number]]
        body += "".join(_hidden(name, _written(values[name])) for name in kept)
        body += _hidden("step", str(step))
        heading = f"{title}, step {step + 1} of {len(steps) + 1}" if schema.get("steps") else title
        page = f"<h1>{_text(heading)}</h1>{_form(f'{self.path}/new', body, button)}"
        return _page(self.state, title, page)

    def _added(self, values: dict[str, Any]) -> Answer:
        if len(self.rows) >= _MOST_ROWS:
            return _page(self.state, "Full", "<h1>There is no more room</h1>")
        id = _next_id(self.rows)
        self.rows.append({"id": id, **{name: values[name] for name in self.fields}})
        return _to(f"{self.path}/{id}")

    def _action(self, row: dict[str, Any], name: str, sent: dict[str, list[str]] | None) -> Answer:
        action = next((a for a in self.schema.get("actions", ()) if a["name"] == name), None)
        if action is None or not _holds(row, action.get("when")):
            raise _Missing
        target = _Table(self.state, action["add"]["table"]) if "add" in action else self
        asked = [target.fields[field] for field in action.get("ask", ())]
        current = row if target is self else {f["name"]: f.get("default", "") for f in asked}
        values: dict[str, Any] = {field["name"]: current[field["name"]] for field in asked}
        errors: list[str] = []
        if sent is not None:
            values, errors = target._read(asked, sent)
            if not errors and "set" in action:
                row.update(action["set"])
            if not errors and "add" not in action:
                row.update(values)
                return _to(f"{self.path}/{row['id']}")
            if not errors:
                fixed = {
                    key: value.format_map(_Names(row)) if isinstance(value, str) else value
                    for key, value in action["add"]["row"].items()
                }
                defaults = {n: f.get("default", "") for n, f in target.fields.items()}
                return target._added({**defaults, **fixed, **values})
        elif not asked:
            raise _Missing
        body = _errors(errors) + _inputs(asked, values)
        form = _form(f"{self.path}/{row['id']}/do/{name}", body, "Send")
        heading = f"{action['label']}: {_shown(row[self.schema['title']])}"
        return _page(self.state, action["label"], f"<h1>{_text(heading)}</h1>{form}")

    def _sheet(self, sent: dict[str, list[str]] | None) -> Answer:
        names = self.schema["sheet"]
        errors: list[str] = []
        if sent is not None:
            updates = []
            for row in self.rows:
                prefix = f"{row['id']}."
                own = {k[len(prefix) :]: v for k, v in sent.items() if k.startswith(prefix)}
                values, wrong = self._read([self.fields[name] for name in names], own)
                errors += [f"{row[self.schema['title']]}: {text}" for text in wrong]
                updates.append((row, values))
            if not errors:
                for row, values in updates:
                    row.update(values)
                return _page(self.state, "Saved", "<h1>Saved</h1><p>Your changes are saved.</p>")
        title = self.schema["title"]
        heads = "".join(f"<th>{_text(self.fields[name]['label'])}</th>" for name in names)
        out = [
            _errors(errors),
            f"<table><tr><th>{_text(self.fields[title]['label'])}</th>{heads}</tr>",
        ]
        for row in self.rows:
            prefix, called = f"{row['id']}.", f"{row[title]}: "
            cells = "".join(
                f"<td>{_input(self.fields[name], row[name], prefix, called)}</td>" for name in names
            )
            out.append(f"<tr><td>{_text(_shown(row[title]))}</td>{cells}</tr>")
        out.append("</table>")
        form = _form(f"{self.path}/sheet", "".join(out), "Save")
        return _page(self.state, "Edit all", f"<h1>{_text(self.schema['label'])}</h1>{form}")

    # ---------------------------------------------------------------- values

    def _read(
        self, fields: list[dict[str, Any]], sent: dict[str, list[str]]
    ) -> tuple[dict[str, Any], list[str]]:
        """Return the values of a form, and what is wrong with them."""
        values: dict[str, Any] = {}
        errors = []
        for field in fields:
            text = sent.get(field["name"], [""])[0].replace("\r\n", "\n").strip()
            values[field["name"]] = text
            if len(text) > _MOST_TEXT:
                errors.append(f"{field['label']} is too long.")
            elif field["kind"] == "flag":
                values[field["name"]] = text == "yes"
            elif not text:
                if field.get("required"):
                    errors.append(f"{field['label']} is required.")
            elif not _fits(field, text):
                errors.append(field.get("says") or f"{field['label']} is not valid.")
            elif field["kind"] == "number":
                values[field["name"]] = int(text)
        return values, errors

    def _apart(self, values: dict[str, Any]) -> list[str]:
        """Return an error if a row would overlap another one."""
        rule = self.schema.get("apart")
        if not rule:
            return []
        begin, end = values[rule["from"]], values[rule["to"]]
        if begin >= end:
            return ["The end must be after the beginning."]
        for row in self.rows:
            if row["id"] == values.get("id") or any(row[n] != values[n] for n in rule["same"]):
                continue
            if begin < row[rule["to"]] and row[rule["from"]] < end:
                return [f"It overlaps with {row[self.schema['title']]}."]
        return []


class _Names(dict[str, Any]):
    """The fields of a row, for templates."""

    def __missing__(self, key: str) -> str:
        return ""


def _fits(field: dict[str, Any], text: str) -> bool:
    kind = field["kind"]
    if kind == "number":
        if not re.fullmatch(r"-?[0-9]{1,9}", text):
            return False
        return bool(field.get("min", -(10**9)) <= int(text) <= field.get("max", 10**9))
    if kind in ("choice", "radio"):
        return text in field["options"]
    if kind == "date":
        try:
            return datetime.date.fromisoformat(text).isoformat() == text
        except ValueError:
            return False
    if kind == "time":
        return bool(re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", text))
    return "pattern" not in field or bool(re.fullmatch(field["pattern"], text))


def _next_id(rows: list[dict[str, Any]]) -> int:
    return max((row["id"] for row in rows), default=0) + 1


def _holds(row: dict[str, Any], when: dict[str, Any] | None) -> bool:
    return all(row[name] == value for name, value in (when or {}).items())


def _whole(text: str, low: int, high: int) -> int:
    return min(high, max(low, int(text))) if re.fullmatch(r"[0-9]{1,9}", text) else low


def _shown(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


_written = _shown


def _text(text: str) -> str:
    return html.escape(text, quote=True)


def _query(query: dict[str, list[str]], page: int) -> str:
    from urllib.parse import urlencode

    kept = {name: values[0] for name, values in query.items() if name != "page"}
    return _text(urlencode({**kept, "page": page}))


def _hidden(name: str, value: str) -> str:
    return f'<input type="hidden" name="{_text(name)}" value="{_text(value)}">'


def _label(label: str, control: str) -> str:
    return f"<p><label>{_text(label)} {control}</label></p>"


def _select(name: str, options: list[tuple[str, str]], chosen: str) -> str:
    items = "".join(
        f'<option value="{_text(value)}"{" selected" * (value == chosen)}>{_text(label)}</option>'
        for value, label in options
    )
    return f'<select name="{_text(name)}">{items}</select>'


def _inputs(fields: list[dict[str, Any]], values: dict[str, Any]) -> str:
    out = []
    for field in fields:
        control = _input(field, values[field["name"]])
        out.append(control if field["kind"] == "radio" else _label(field["label"], control))
    return "".join(out)


def _input(field: dict[str, Any], value: Any, prefix: str = "", called: str = "") -> str:
    kind, shown = field["kind"], _text(_written(value))
    name = f'name="{_text(prefix + field["name"])}"'
    if called:
        name += f' aria-label="{_text(called + field["label"])}"'
    if kind == "flag":
        return f'<input type="checkbox" {name} value="yes"{" checked" * (value is True)}>'
    if kind == "choice":
        options = [("", "(none)"), *((option, option) for option in field["options"])]
        return _select(prefix + field["name"], options, str(value))
    if kind == "radio":
        items = "".join(
            f'<label><input type="radio" {name} value="{_text(option)}"{" checked" * (option == value)}> {_text(option)}</label> '
            for option in field["options"]
        )
        return f"<div>{_text(field['label'])}: {items}</div>"
    if kind == "long":
        return f"<textarea {name}>\n{shown}</textarea>"
    return f'<input type="{kind if kind in ("date", "time") else "text"}" {name} value="{shown}">'


def _errors(errors: list[str]) -> str:
    return "".join(f"<p>Error: {_text(error)}</p>" for error in errors)


def _form(place: str, body: str, button: str, confirm: str = "") -> str:
    asked = f' data-confirm="{_text(confirm)}"' if confirm else ""
    return f'<form method="post" action="{place}" novalidate{asked}>{body}<p><button>{_text(button)}</button></p></form>'


def _home(state: dict[str, Any]) -> str:
    app = state["app"]
    links = "".join(
        f'<li><a href="/t/{name}">{_text(table["label"])}</a></li>'
        for name, table in app["tables"].items()
    )
    return f"<h1>{_text(app['title'])}</h1><p>{_text(app.get('about', ''))}</p><ul>{links}</ul>"


def _to(path: str) -> Answer:
    return 303, {"Location": path}, ""


def _page(state: dict[str, Any], title: str, body: str, status: int = 200) -> Answer:
    app = state["app"]
    links = " ".join(
        f'<a href="/t/{name}">{_text(table["label"])}</a>' for name, table in app["tables"].items()
    )
    head = f"<!doctype html><html lang=en><title>{_text(title)} - {_text(app['title'])}</title>"
    nav = f'<nav><a href="/">Home</a> {links}</nav>'
    script = '<script src="/app.js" defer></script>'
    return status, {}, f"{head}<body>{nav}{body}{script}</body></html>"
