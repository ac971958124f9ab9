"""Families about records that are there: employees, settings, an inventory, roles, a wiki, tickets."""

from __future__ import annotations

from typing import Any

import numpy as np

from rlvr.envs.browser.families.common import (
    TOWNS,
    WORDS,
    BrowserDraft,
    Row,
    by_level,
    listed,
    numbered,
    people,
    phrase,
    schema_field,
    title_phrase,
)
from rlvr.envs.browser.walk import Step
from rlvr.envs.puzzles.common import integer, pick, sample

_DEPARTMENTS = ("Finance", "Legal", "Marketing", "Production", "Sales", "Support")
_RIGHTS = ("Read", "Write", "Delete", "Export", "Invite", "Audit")
_ROLES = (
    "Guest", "Reader", "Author", "Editor", "Reviewer", "Manager", "Auditor", "Support", "Owner", "Partner",
)  # fmt: skip
_AGENTS = ("Nobody", "Ines", "Jonas", "Karin", "Leo")
_PRIORITIES = ("Low", "Normal", "High", "Urgent")


def staff_records(rng: np.random.Generator, level: int) -> BrowserDraft:
    """Ask for new values of some employees, who are found by search, filters or paging."""
    count = by_level(level, 14, 30, 60)
    names = people(rng, count - level)
    # Some names occur twice, in different departments.
    rows = numbered(
        [
            {
                "name": name,
                "department": pick(rng, _DEPARTMENTS),
                "office": pick(rng, TOWNS),
                "extension": integer(rng, 1000, 9999),
                "remote": bool(rng.random() < 0.3),
            }
            for name in names
        ]
    )
    for twin in sample(rng, rows, level):
        elsewhere = [name for name in _DEPARTMENTS if name != twin["department"]]
        rows.append({**twin, "id": len(rows) + 1, "department": pick(rng, elsewhere)})
    changed: dict[int, Row] = {}
    sentences, steps = [], []
    for row in sample(rng, rows, by_level(level, 1, 2, 3)):
        office = pick(rng, [town for town in TOWNS if town != row["office"]])
        extension = 10000 - row["extension"] + (2 * row["extension"] == 10000)
        changed[row["id"]] = {"office": office, "extension": extension}
        sentences.append(
            f"{row['name']} of {row['department']} moves to the office in {office} and gets the extension {extension}."
        )
        steps += [
            [
                "open",
                f"/t/employees?q={row['name'].replace(' ', '+')}&department={row['department']}",
            ],
            ["click", row["name"]],
            ["click", "Edit"],
            ["select", "Office", office],
            ["type", "Extension", str(extension)],
            ["click", "Save"],
        ]
    table = {
        "label": "Employees",
        "one": "employee",
        "title": "name",
        "fields": [
            schema_field("name", "Name", required=True),
            schema_field("department", "Department", "choice", options=_DEPARTMENTS, required=True),
            schema_field("office", "Office", "choice", options=TOWNS, required=True),
            schema_field("extension", "Extension", "number", min=1, max=9999, required=True),
            schema_field("remote", "Works from home", "flag"),
        ],
        "list": ["name", "department", "office"],
        "find": ["name"],
        "filters": ["department", "office"],
        "per_page": 8,
        "can": ["add", "edit", "delete"],
    }
    app = {"title": "Staff directory", "tables": {"employees": table}}
    return BrowserDraft(
        " ".join(sentences), app, {"employees": rows}, steps, {"employees": changed}
    )


def settings(rng: np.random.Generator, level: int) -> BrowserDraft:
    """Ask for some of many settings to be changed."""
    fields = [
        schema_field(
            "language", "Language", "choice", options=("Dutch", "English", "French", "German")
        ),
        schema_field(
            "zone", "Time zone", "choice", options=("Berlin", "Lisbon", "London", "New York")
        ),
        schema_field("theme", "Theme", "radio", options=("Light", "Dark", "System")),
        schema_field("rows", "Rows per page", "number", min=5, max=200, required=True),
        schema_field("signature", "Signature", "long"),
        schema_field("news", "Send the newsletter", "flag"),
        schema_field("digest", "Send a daily digest", "flag"),
        schema_field("mentions", "Notify me of mentions", "flag"),
        schema_field("public", "Show my profile to everyone", "flag"),
        schema_field("history", "Keep my search history", "flag"),
        schema_field("minutes", "Sign out after minutes", "number", min=1, max=600, required=True),
        schema_field(
            "visible", "Who sees my address", "radio", options=("Nobody", "Friends", "Everyone")
        ),
    ]
    row: Row = {"id": 1}
    changes: Row = {}
    asked = {field["name"] for field in sample(rng, fields, by_level(level, 2, 4, 6))}
    sentences, steps = [], [["open", "/"], ["click", "Settings"]]
    for field in fields:
        name, label, kind = field["name"], field["label"], field["kind"]
        new: Any
        if kind == "flag":
            row[name] = bool(rng.random() < 0.5)
            new = not row[name]
            sentence, step = f"switch {'on' if new else 'off'} “{label}”", ["check", label]
        elif kind == "number":
            row[name], new = sample(rng, range(field["min"], field["max"] + 1), 2)
            sentence, step = f"set “{label}” to {new}", ["type", label, str(new)]
        elif kind == "long":
            row[name], new = phrase(rng, 4), phrase(rng, 3)
            sentence, step = f"make the signature exactly “{new}”", ["type", label, new]
        else:
            row[name], new = sample(rng, field["options"], 2)
            sentence = f"set “{label}” to {new}"
            step = ["check", new] if kind == "radio" else ["select", label, new]
        if name in asked:
            changes[name] = new
            sentences.append(sentence)
            steps.append(step)
    table = {
        "label": "Settings",
        "one": "settings",
        "title": "language",
        "fields": fields,
        "list": ["language"],
        "can": ["edit"],
        "single": True,
    }
    steps.append(["click", "Save"])
    text = f"In the settings, {listed(sentences)}."
    app = {"title": "My account", "tables": {"settings": table}}
    return BrowserDraft(text, app, {"settings": [row]}, steps, {"settings": {1: changes}})


def inventory(rng: np.random.Generator, level: int) -> BrowserDraft:
    """Ask for deliveries to be added to the stock of items on several pages."""
    count = by_level(level, 14, 28, 50)
    numbers = sample(rng, range(1000, 9999), count)
    rows = numbered(
        [
            {
                "sku": f"{pick(rng, 'ABCD')}-{number}",
                "name": phrase(rng, 2),
                "shelf": f"{pick(rng, 'KLMN')}{integer(rng, 1, 30)}",
                "stock": integer(rng, 0, 300),
            }
            for number in numbers
        ]
    )
    changed: dict[int, Row] = {}
    parts, steps = [], []
    for row in sample(rng, rows, by_level(level, 1, 2, 4)):
        more = integer(rng, 3, 60)
        changed[row["id"]] = {"stock": row["stock"] + more}
        parts.append(f"{more} of {row['sku']}")
        steps += [
            ["open", f"/t/items?page={(row['id'] - 1) // 7 + 1}"],
            ["click", row["sku"]],
            ["click", "Edit"],
            ["type", "In stock", str(row["stock"] + more)],
            ["click", "Save"],
        ]
    table = {
        "label": "Items",
        "one": "item",
        "title": "sku",
        "fields": [
            schema_field("sku", "Number", fixed=True),
            schema_field("name", "Name", fixed=True),
            schema_field("shelf", "Shelf", required=True),
            schema_field("stock", "In stock", "number", min=0, max=99999, required=True),
        ],
        "list": ["sku", "name", "shelf"],
        "per_page": 7,
        "can": ["edit"],
    }
    text = f"A delivery has come in: {listed(parts)}. Add it to what is in stock."
    app = {"title": "Warehouse", "tables": {"items": table}}
    return BrowserDraft(text, app, {"items": rows}, steps, {"items": changed})


def permissions(rng: np.random.Generator, level: int) -> BrowserDraft:
    """Ask for rights to be given to roles and taken from them, in a matrix of boxes."""
    roles = sample(rng, _ROLES, by_level(level, 4, 6, 9))
    rows = numbered(
        [
            {"role": role, **{right.lower(): bool(rng.random() < 0.5) for right in _RIGHTS}}
            for role in roles
        ]
    )
    changed: dict[int, Row] = {}
    sentences, steps = [], [["open", "/t/roles/sheet"]]
    cells = [(row, right) for row in rows for right in _RIGHTS]
    for row, right in sample(rng, cells, by_level(level, 2, 4, 7)):
        old = row[right.lower()]
        changed.setdefault(row["id"], {})[right.lower()] = not old
        verb = ("take", "from") if old else ("give", "to")
        sentences.append(f"{verb[0]} the right “{right}” {verb[1]} {row['role']}")
        steps.append(["check", f"{row['role']}: {right}"])
    steps.append(["click", "Save"])
    table = {
        "label": "Roles",
        "one": "role",
        "title": "role",
        "fields": [
            schema_field("role", "Role", fixed=True),
            *(schema_field(right.lower(), right, "flag") for right in _RIGHTS),
        ],
        "list": ["role"],
        "sheet": [right.lower() for right in _RIGHTS],
    }
    text = f"Change the roles' rights: {listed(sentences)}."
    app = {"title": "Access control", "tables": {"roles": table}}
    return BrowserDraft(text, app, {"roles": rows}, steps, {"roles": changed})


def wiki(rng: np.random.Generator, level: int) -> BrowserDraft:
    """Ask for a word to be replaced on a page; then for a line on another one, and for a new page."""
    words = list(WORDS)
    count = by_level(level, 6, 10, 16)
    titles = sample(rng, words, count + 1)
    rows = numbered(
        [
            {
                "title": title.capitalize(),
                "text": "\n".join(phrase(rng, integer(rng, 4, 7)) for _ in range(3)),
            }
            for title in titles[:-1]
        ]
    )
    page, other = sample(rng, rows, 2)
    lines = page["text"].split("\n")
    old = pick(rng, lines[0].split())
    fresh = [word for word in words if word not in page["text"]]
    new = pick(rng, fresh)
    text = "\n".join(
        " ".join(new if word == old else word for word in line.split()) for line in lines
    )
    changed: dict[int, Row] = {page["id"]: {"text": text}}
    added: list[Row] = []
    sentences = [f"On the page “{page['title']}”, replace the word “{old}” by “{new}” everywhere."]
    steps: list[Step] = [
        ["open", "/t/pages"],
        *([["click", "Next"]] if page["id"] > 8 else []),
        ["click", page["title"]],
        ["click", "Edit"],
        ["type", "Text", text],
        ["click", "Save"],
    ]
    if level > 1:
        line = phrase(rng, 3)
        changed[other["id"]] = {"text": f"{other['text']}\n{line}"}
        sentences.append(f"Add a last line to the page “{other['title']}”: “{line}”.")
        steps += [
            ["open", f"/t/pages/{other['id']}/edit"],
            ["type", "Text", changed[other["id"]]["text"]],
            ["click", "Save"],
        ]
    if level > 2:
        body = phrase(rng, 4)
        added.append({"title": titles[-1].capitalize(), "text": body})
        sentences.append(f"Make a new page “{added[0]['title']}” with the text “{body}”.")
        steps += [
            ["open", "/t/pages/new"],
            ["type", "Title", added[0]["title"]],
            ["type", "Text", body],
            ["click", "Save"],
        ]
    table = {
        "label": "Pages",
        "one": "page",
        "title": "title",
        "fields": [
            schema_field("title", "Title", required=True),
            schema_field("text", "Text", "long"),
        ],
        "list": ["title"],
        "per_page": 8,
        "find": ["title", "text"],
        "can": ["add", "edit", "delete"],
    }
    return BrowserDraft(
        " ".join(sentences),
        {"title": "Team wiki", "tables": {"pages": table}},
        {"pages": rows},
        steps,
        {"pages": changed},
        {"pages": added} if added else {},
    )


def tickets(rng: np.random.Generator, level: int) -> BrowserDraft:
    """Ask for a ticket to be assigned and ranked; then for a comment, and for all of a customer's tickets."""
    customers = people(rng, 8)
    count = by_level(level, 12, 24, 40)
    rows = numbered(
        [
            {
                "subject": title_phrase(rng, 3),
                "customer": pick(rng, customers),
                "status": pick(rng, ("Open", "Open", "Waiting", "Closed")),
                "priority": pick(rng, _PRIORITIES[:3]),
                "agent": pick(rng, _AGENTS),
            }
            for _ in range(count)
        ]
    )
    opened = [row for row in rows if row["status"] == "Open"]
    while len(opened) < 3:
        waiting = pick(rng, [row for row in rows if row["status"] != "Open"])
        waiting["status"] = "Open"
        opened.append(waiting)
    first, second, third = sample(rng, opened, 3)
    changed: dict[int, Row] = {}
    agent = pick(rng, [name for name in _AGENTS[1:] if name != first["agent"]])
    changed[first["id"]] = {"agent": agent, "priority": "Urgent"}
    sentences = [
        f"Assign the ticket “{first['subject']}” of {first['customer']} to {agent} and give it the priority Urgent."
    ]
    steps: list[Step] = [
        ["open", f"/t/tickets?q={first['subject'].replace(' ', '+')}"],
        ["click", first["subject"]],
        ["click", "Assign"],
        ["select", "Agent", agent],
        ["click", "Send"],
        ["click", "Set priority"],
        ["select", "Priority", "Urgent"],
        ["click", "Send"],
    ]
    added: list[Row] = []
    if level > 1:
        text = phrase(rng, 4)
        added.append({"ticket": str(second["id"]), "author": "me", "text": text})
        changed[second["id"]] = {"status": "Closed"}
        sentences.append(
            f"Comment on the ticket “{second['subject']}” with exactly “{text}”, and close that ticket."
        )
        steps += [
            ["open", f"/t/tickets/{second['id']}/do/comment"],
            ["type", "Text", text],
            ["click", "Send"],
            ["open", f"/t/tickets/{second['id']}"],
            ["click", "Close ticket"],
        ]
    if level > 2:
        taken = (first["id"], second["id"])
        theirs = [
            row for row in opened if row["customer"] == third["customer"] and row["id"] not in taken
        ]
        if len(theirs) > 4 or third["customer"] in (first["customer"], second["customer"]):
            theirs = []  # too many, or it would be unclear what the first sentences say of them
        for row in theirs:
            steps += [
                ["open", f"/t/tickets/{row['id']}/do/priority"],
                ["select", "Priority", "Urgent"],
                ["click", "Send"],
            ]
            changed[row["id"]] = {"priority": "Urgent"}
        if theirs:
            sentences.append(
                f"Give all open tickets of {third['customer']} the priority Urgent, too."
            )
    tables = {
        "tickets": {
            "label": "Tickets",
            "one": "ticket",
            "title": "subject",
            "fields": [
                schema_field("subject", "Subject", fixed=True),
                schema_field("customer", "Customer", fixed=True),
                schema_field(
                    "status", "Status", "choice", options=("Open", "Waiting", "Closed"), fixed=True
                ),
                schema_field(
                    "priority", "Priority", "choice", options=_PRIORITIES, required=True, fixed=True
                ),
                schema_field(
                    "agent", "Agent", "choice", options=_AGENTS, required=True, fixed=True
                ),
            ],
            "list": ["subject", "customer", "status", "agent"],
            "find": ["subject", "customer"],
            "filters": ["status", "priority"],
            "per_page": 8,
            "actions": [
                {"name": "assign", "label": "Assign", "ask": ["agent"]},
                {"name": "priority", "label": "Set priority", "ask": ["priority"]},
                {
                    "name": "comment",
                    "label": "Comment",
                    "ask": ["text"],
                    "add": {"table": "comments", "row": {"ticket": "{id}", "author": "me"}},
                },
                {
                    "name": "close",
                    "label": "Close ticket",
                    "when": {"status": "Open"},
                    "set": {"status": "Closed"},
                    "confirm": "Close this ticket?",
                },
            ],
        },
        "comments": {
            "label": "Comments",
            "one": "comment",
            "title": "text",
            "fields": [
                schema_field("ticket", "Ticket", fixed=True),
                schema_field("author", "Author", fixed=True),
                schema_field("text", "Text", "long", required=True),
            ],
            "list": ["text", "author", "ticket"],
        },
    }
    comments = numbered(
        [
            {"ticket": str(pick(rng, rows)["id"]), "author": "Leo", "text": phrase(rng, 4)}
            for _ in range(3)
        ]
    )
    return BrowserDraft(
        " ".join(sentences),
        {"title": "Ticket desk", "tables": tables},
        {"tickets": rows, "comments": comments},
        steps,
        {"tickets": changed},
        {"comments": added} if added else {},
    )
