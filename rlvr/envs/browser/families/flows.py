"""Families about what has to be entered: orders, to-do lists, registrations, messages, bookings, requests."""

from __future__ import annotations

import numpy as np

from rlvr.envs.browser.families.common import (
    TOWNS,
    BrowserDraft,
    Row,
    address,
    by_level,
    day,
    numbered,
    people,
    phrase,
    schema_field,
    spoken,
    title_phrase,
)
from rlvr.envs.browser.walk import Step
from rlvr.envs.puzzles.common import integer, pick, sample

_MATERIALS = ("Birch", "Brass", "Glass", "Linen", "Oak")
_KINDS = ("basket", "clock", "lamp", "mirror", "stool")
_COLOURS = ("White", "Black", "Green", "Red")
_LISTS = ("Home", "Work", "Garden", "Travel")
_PLANS = ("Basic", "Plus", "Family")
_MOST_ARCHIVED = 4
_LABELS = ("None", "Later", "Urgent", "Waiting")
_ROOMS = ("Ash", "Elm", "Fir", "Yew")
_HALF_HOURS = [
    f"{minutes // 60:02}:{minutes % 60:02}" for minutes in range(9 * 60, 17 * 60 + 1, 30)
]


def shop_order(rng: np.random.Generator, level: int) -> BrowserDraft:
    """Ask for orders of the cheapest product of a kind that is in stock, with options."""
    count = by_level(level, 16, 32, 60)
    names = sample(rng, [f"{a} {b}" for a in people(rng, 12) for b in "ABCDEF"], count)
    prices = sample(rng, range(12, 400), count)
    rows = numbered(
        [
            {
                "name": f"{material} {kind} {name.split()[0]} {name[-1]}{number}",
                "material": material,
                "kind": kind,
                "price": price,
                "stock": integer(rng, 0, 9),
            }
            for number, (name, price) in enumerate(zip(names, prices, strict=True), 1)
            for material, kind in [(pick(rng, _MATERIALS), pick(rng, _KINDS))]
        ]
    )
    wanted = sample(
        rng,
        sorted({(row["material"], row["kind"]) for row in rows if row["stock"] > 1}),
        min(level, 2),
    )
    added: list[Row] = []
    sentences, steps = [], []
    for material, kind in wanted:
        matching = [row for row in rows if (row["material"], row["kind"]) == (material, kind)]
        quantity = integer(rng, 2, max(row["stock"] for row in matching))
        row = min(
            (row for row in matching if row["stock"] >= quantity), key=lambda row: row["price"]
        )
        order = {
            "product": row["name"],
            "quantity": quantity,
            "size": pick(rng, ("S", "M", "L")),
            "colour": pick(rng, _COLOURS),
            "gift": bool(rng.random() < 0.5),
            "address": address(rng),
        }
        added.append(order)
        sentences.append(
            f"Order {quantity} pieces of the cheapest product of kind “{kind}” and material “{material}” of which at least "
            f"{quantity} are in stock, in size {order['size']} and {order['colour'].lower()}, "
            f"{'as a gift' if order['gift'] else 'not as a gift'}, to be sent to: {order['address']}."
        )
        steps += [
            [
                "open",
                f"/t/products?material={material}&kind={kind}&sort=price&q={row['name'].replace(' ', '+')}",
            ],
            ["click", row["name"]],
            ["click", "Order"],
            ["type", "Quantity", str(quantity)],
            ["select", "Size", order["size"]],
            ["check", order["colour"]],
            *([["check", "As a gift"]] if order["gift"] else []),
            ["type", "Send to", order["address"]],
            ["click", "Send"],
        ]
    asked = ["quantity", "size", "colour", "gift", "address"]
    tables = {
        "products": {
            "label": "Products",
            "one": "product",
            "title": "name",
            "fields": [
                schema_field("name", "Name", fixed=True),
                schema_field("material", "Material", fixed=True),
                schema_field("kind", "Kind", fixed=True),
                schema_field("price", "Price", "number", fixed=True),
                schema_field("stock", "In stock", "number", fixed=True),
            ],
            "list": ["name", "price", "stock"],
            "find": ["name"],
            "filters": ["material", "kind"],
            "sorts": ["price", "name"],
            "per_page": 8,
            "actions": [
                {
                    "name": "order",
                    "label": "Order",
                    "ask": asked,
                    "add": {"table": "orders", "row": {"product": "{name}"}},
                }
            ],
        },
        "orders": {
            "label": "Orders",
            "one": "order",
            "title": "product",
            "fields": [
                schema_field("product", "Product", fixed=True),
                schema_field(
                    "quantity", "Quantity", "number", min=1, max=20, required=True, default=1
                ),
                schema_field("size", "Size", "choice", options=("S", "M", "L"), required=True),
                schema_field("colour", "Colour", "radio", options=_COLOURS, required=True),
                schema_field("gift", "As a gift", "flag", default=False),
                schema_field("address", "Send to", required=True),
            ],
            "list": ["product", "quantity", "address"],
            "can": ["delete"],
        },
    }
    orders = numbered(
        [
            {
                "product": pick(rng, rows)["name"],
                "quantity": integer(rng, 1, 3),
                "size": "M",
                "colour": pick(rng, _COLOURS),
                "gift": False,
                "address": address(rng),
            }
            for _ in range(2)
        ]
    )
    app = {"title": "House and home", "tables": tables}
    return BrowserDraft(
        " ".join(sentences),
        app,
        {"products": rows, "orders": orders},
        steps,
        added={"orders": added},
    )


def todo(rng: np.random.Generator, level: int) -> BrowserDraft:
    """Ask for all tasks of a list that were due before a day to be marked; then for one more, and for some to go."""
    count = by_level(level, 12, 20, 32)
    rows = numbered(
        [
            {
                "what": title_phrase(rng, 3),
                "list": pick(rng, _LISTS),
                "due": day(rng),
                "done": bool(rng.random() < 0.3),
            }
            for _ in range(count)
        ]
    )
    chosen, cleared = sample(rng, _LISTS, 2)
    mine = sorted(
        (row for row in rows if row["list"] == chosen and not row["done"]),
        key=lambda row: row["due"],
    )
    if not mine:
        rows[0] |= {"list": chosen, "done": False}
        mine = [rows[0]]
    number = min(len(mine), integer(rng, 1, 3))
    while number < len(mine) and mine[number]["due"] == mine[number - 1]["due"]:
        number += 1
    limit = mine[number]["due"] if number < len(mine) else "2026-12-31"
    changed = {row["id"]: {"done": True} for row in mine[:number]}
    sentences = [
        f"Mark as done every task of the list {chosen} that isn't done yet and that is due before {spoken(limit)}."
    ]
    steps: list[Step] = []
    for row in mine[:number]:
        steps += [["open", f"/t/tasks/{row['id']}"], ["click", "Mark as done"]]
    added: list[Row] = []
    removed: list[int] = []
    if level > 1:
        added.append(
            {
                "what": title_phrase(rng, 4),
                "list": pick(rng, _LISTS),
                "due": day(rng),
                "done": False,
            }
        )
        sentences.append(
            f"Add the task “{added[0]['what']}” to the list {added[0]['list']}, due on {spoken(added[0]['due'])}."
        )
        steps += [
            ["open", "/t/tasks"],
            ["click", "New task"],
            ["type", "Task", added[0]["what"]],
            ["select", "List", added[0]["list"]],
            ["type", "Due", added[0]["due"]],
            ["click", "Save"],
        ]
    if level > 2:
        removed = [row["id"] for row in rows if row["list"] == cleared and row["done"]]
        if removed:
            sentences.append(f"Delete all tasks of the list {cleared} that are done.")
        for id in removed:
            steps += [["open", f"/t/tasks/{id}"], ["click", "Delete"]]
    table = {
        "label": "Tasks",
        "one": "task",
        "title": "what",
        "fields": [
            schema_field("what", "Task", required=True),
            schema_field("list", "List", "choice", options=_LISTS, required=True),
            schema_field("due", "Due", "date", required=True),
            schema_field("done", "Done", "flag", default=False),
        ],
        "list": ["what", "list", "due", "done"],
        "find": ["what"],
        "filters": ["list", "done"],
        "sorts": ["due", "what"],
        "per_page": 8,
        "can": ["add", "edit", "delete"],
        "actions": [
            {
                "name": "done",
                "label": "Mark as done",
                "when": {"done": False},
                "set": {"done": True},
            }
        ],
    }
    return BrowserDraft(
        " ".join(sentences),
        {"title": "To do", "tables": {"tasks": table}},
        {"tasks": rows},
        steps,
        {"tasks": changed},
        {"tasks": added} if added else {},
        {"tasks": removed},
    )


def registration(rng: np.random.Generator, level: int) -> BrowserDraft:
    """Ask for people to be registered by a form whose fields have to be written in a certain way."""
    names = people(rng, 5 + level)

    def member(name: str) -> Row:
        first, last = name.lower().split()
        return {
            "name": name,
            "email": f"{first}.{last}@{pick(rng, ('example.org', 'example.net'))}",
            "phone": f"+{integer(rng, 30, 49)}{integer(rng, 100000, 99999999)}",
            "born": day(rng, "1950-01-01", 18000),
            "postcode": f"{integer(rng, 10000, 99999)}",
            "plan": pick(rng, _PLANS),
            "news": bool(rng.random() < 0.5),
        }

    rows = numbered([member(name) for name in names[:5]])
    added = [member(name) for name in names[5:]]
    sentences, steps = [], []
    for row in added:
        digits = row["phone"][3:]
        phone = f"{row['phone'][:3]} {digits[:3]} {digits[3:]}"
        sentences.append(
            f"Register {row['name']}, born on {spoken(row['born'])}, e-mail {row['email']}, telephone {phone}, postcode "
            f"{row['postcode']}, with the plan {row['plan']}, {'with' if row['news'] else 'without'} the newsletter."
        )
        steps += [
            ["open", "/"],
            ["click", "Members"],
            ["click", "New member"],
            ["type", "Name", row["name"]],
            ["type", "E-mail", row["email"]],
            ["type", "Telephone", row["phone"]],
            ["type", "Born", row["born"]],
            ["type", "Postcode", row["postcode"]],
            ["check", row["plan"]],
            *([["check", "Newsletter"]] if row["news"] else []),
            ["click", "Save"],
        ]
    table = {
        "label": "Members",
        "one": "member",
        "title": "name",
        "fields": [
            schema_field("name", "Name", required=True),
            schema_field(
                "email",
                "E-mail",
                required=True,
                pattern=r"[a-z0-9.]+@[a-z0-9.]+\.[a-z]+",
                says="E-mail is no address.",
            ),
            schema_field(
                "phone",
                "Telephone",
                required=True,
                pattern=r"\+[0-9]{7,15}",
                says="Telephone is + and digits without spaces, like +4912345678.",
            ),
            schema_field("born", "Born", "date", required=True),
            schema_field(
                "postcode",
                "Postcode",
                required=True,
                pattern="[0-9]{5}",
                says="Postcode has five digits.",
            ),
            schema_field("plan", "Plan", "radio", options=_PLANS, required=True),
            schema_field("news", "Newsletter", "flag", default=False),
        ],
        "list": ["name", "plan"],
        "can": ["add", "edit", "delete"],
    }
    return BrowserDraft(
        " ".join(sentences),
        {"title": "Club members", "tables": {"members": table}},
        {"members": rows},
        steps,
        added={"members": added},
    )


def inbox(rng: np.random.Generator, level: int) -> BrowserDraft:
    """Ask for messages to be archived; then for a label, and for a reply."""
    count = by_level(level, 12, 20, 36)
    senders = people(rng, 6)
    rows = numbered(
        [
            {
                "sender": pick(rng, senders),
                "to": "me",
                "subject": title_phrase(rng, 3),
                "body": phrase(rng, 8),
                "folder": pick(rng, ("Inbox", "Inbox", "Inbox", "Archive")),
                "label": pick(rng, _LABELS[:2]),
            }
            for _ in range(count)
        ]
    )
    rows[0]["folder"] = rows[1]["folder"] = rows[2]["folder"] = "Inbox"
    rows[1]["sender"] = next(name for name in senders if name != rows[0]["sender"])
    rows[2]["sender"] = rows[1]["sender"]
    sender = rows[0]["sender"]
    theirs = [row for row in rows if row["sender"] == sender and row["folder"] == "Inbox"]
    for row in theirs[_MOST_ARCHIVED:]:
        row["folder"] = "Archive"
    theirs = theirs[:_MOST_ARCHIVED]
    changed: dict[int, Row] = {row["id"]: {"folder": "Archive"} for row in theirs}
    sentences = [f"Archive all messages from {sender} that are in the inbox."]
    steps: list[Step] = []
    for row in theirs:
        steps += [["open", f"/t/messages/{row['id']}"], ["click", "Archive"]]
    added: list[Row] = []
    if level > 1:
        row = rows[1]
        changed[row["id"]] = {"label": "Urgent"}
        sentences.append(
            f"Give the message “{row['subject']}” from {row['sender']} the label Urgent."
        )
        steps += [
            ["open", f"/t/messages?q={row['subject'].replace(' ', '+')}"],
            ["click", row["subject"]],
            ["click", "Label"],
            ["select", "Label", "Urgent"],
            ["click", "Send"],
        ]
    if level > 2:
        row = rows[2]
        body = phrase(rng, 5)
        added.append(
            {
                "sender": "me",
                "to": row["sender"],
                "subject": f"Re: {row['subject']}",
                "body": body,
                "folder": "Sent",
                "label": "None",
            }
        )
        sentences.append(
            f"Reply to the message “{row['subject']}” from {row['sender']} with exactly “{body}”."
        )
        steps += [
            ["open", f"/t/messages/{row['id']}"],
            ["click", "Reply"],
            ["type", "Text", body],
            ["click", "Send"],
        ]
    table = {
        "label": "Messages",
        "one": "message",
        "title": "subject",
        "fields": [
            schema_field("sender", "From", fixed=True),
            schema_field("to", "To", fixed=True),
            schema_field("subject", "Subject", fixed=True),
            schema_field("body", "Text", "long", required=True, fixed=True),
            schema_field(
                "folder", "Folder", "choice", options=("Inbox", "Archive", "Sent"), fixed=True
            ),
            schema_field(
                "label",
                "Label",
                "choice",
                options=_LABELS,
                required=True,
                fixed=True,
                default="None",
            ),
        ],
        "list": ["sender", "subject", "folder", "label"],
        "find": ["sender", "subject"],
        "filters": ["folder", "label"],
        "per_page": 8,
        "actions": [
            {
                "name": "archive",
                "label": "Archive",
                "when": {"folder": "Inbox"},
                "set": {"folder": "Archive"},
            },
            {"name": "label", "label": "Label", "ask": ["label"]},
            {
                "name": "reply",
                "label": "Reply",
                "ask": ["body"],
                "add": {
                    "table": "messages",
                    "row": {
                        "sender": "me",
                        "to": "{sender}",
                        "subject": "Re: {subject}",
                        "folder": "Sent",
                    },
                },
            },
        ],
    }
    return BrowserDraft(
        " ".join(sentences),
        {"title": "Mail", "tables": {"messages": table}},
        {"messages": rows},
        steps,
        {"messages": changed},
        {"messages": added} if added else {},
    )


def booking(rng: np.random.Generator, level: int) -> BrowserDraft:
    """Ask for rooms to be booked as early as they are free."""
    date = day(rng, days=300)
    other = day(rng, "2026-11-01", 50)
    rows: list[Row] = []
    rooms = sample(rng, _ROOMS, len(_ROOMS))

    def fill(room: str, on: str, free: int) -> int:
        """Book a room at random, with a first gap of so many half hours; return where that begins."""
        busy = [bool(rng.random() < 0.6) for _ in range(16)]
        for start in range(17 - free):
            if not any(busy[start : start + free]):
                break
        else:
            start = integer(rng, 2, 16 - free)
            busy[start : start + free] = [False] * free
            start = next(s for s in range(17 - free) if not any(busy[s : s + free]))
        at = 0
        while at < 16:
            if not busy[at]:
                at += 1
                continue
            end = at + 1
            while end < 16 and busy[end] and rng.random() < 0.5:
                end += 1
            rows.append(
                {
                    "title": title_phrase(rng, 2),
                    "room": room,
                    "day": on,
                    "start": _HALF_HOURS[at],
                    "end": _HALF_HOURS[end],
                    "who": people(rng, 1)[0],
                }
            )
            at = end
        return start

    added: list[Row] = []
    sentences, steps = [], []
    for number, room in enumerate(rooms):
        halves = integer(rng, 2, 4)
        start = fill(room, date, halves)
        if number < level:
            row = {
                "title": title_phrase(rng, 3),
                "room": room,
                "day": date,
                "start": _HALF_HOURS[start],
                "end": _HALF_HOURS[start + halves],
                "who": people(rng, 1)[0],
            }
            added.append(row)
            sentences.append(
                f"Book the room {room} on {spoken(date)} for {halves * 30} minutes, as early as it is free from 09:00 on, "
                f"under the title “{row['title']}”, for {row['who']}."
            )
            steps += [
                ["open", f"/t/bookings?room={room}&sort=start"],
                ["click", "New booking"],
                ["type", "Title", row["title"]],
                ["select", "Room", room],
                ["type", "Day", date],
                ["type", "Start", row["start"]],
                ["type", "End", row["end"]],
                ["type", "For", row["who"]],
                ["click", "Save"],
            ]
    if other != date:
        fill(rooms[0], other, 2)
    table = {
        "label": "Bookings",
        "one": "booking",
        "title": "title",
        "fields": [
            schema_field("title", "Title", required=True),
            schema_field("room", "Room", "choice", options=_ROOMS, required=True),
            schema_field("day", "Day", "date", required=True),
            schema_field("start", "Start", "time", required=True),
            schema_field("end", "End", "time", required=True),
            schema_field("who", "For", required=True),
        ],
        "list": ["title", "room", "day", "start", "end"],
        "filters": ["room", "day"],
        "sorts": ["day", "start"],
        "per_page": 12,
        "can": ["add", "edit", "delete"],
        "apart": {"same": ["room", "day"], "from": "start", "to": "end"},
    }
    order = sample(rng, rows, len(rows))
    return BrowserDraft(
        " ".join(sentences),
        {
            "title": "Meeting rooms",
            "about": "Rooms are open from 09:00 to 17:00.",
            "tables": {"bookings": table},
        },
        {"bookings": numbered(order)},
        steps,
        added={"bookings": added},
    )


def travel_request(rng: np.random.Generator, level: int) -> BrowserDraft:
    """Ask for requests that are entered by several pages; the cost centre has to be looked up."""
    staff = numbered(
        [
            {"name": name, "centre": f"CC-{integer(rng, 100, 999)}", "town": pick(rng, TOWNS)}
            for name in people(rng, by_level(level, 8, 16, 24))
        ]
    )
    added: list[Row] = []
    sentences, steps = [], []
    for person in sample(rng, staff, by_level(level, 1, 1, 2)):
        leave = day(rng, days=300)
        back = day(rng, leave, 12)
        row = {
            "traveller": person["name"],
            "centre": person["centre"] if level > 1 else pick(rng, staff)["centre"],
            "destination": pick(rng, [town for town in TOWNS if town != person["town"]]),
            "leave": leave,
            "back": back,
            "by": pick(rng, ("Train", "Plane", "Car")),
            "hotel": bool(rng.random() < 0.5),
            "budget": integer(rng, 2, 40) * 50,
            "reason": title_phrase(rng, 4),
        }
        added.append(row)
        centre = (
            f"{person['name']}'s cost centre, which is in the list of staff"
            if level > 1
            else row["centre"]
        )
        sentences.append(
            f"Enter a travel request for {row['traveller']} with the cost centre {centre}: to {row['destination']}, leaving on "
            f"{spoken(leave)}, back on {spoken(back)}, by {row['by'].lower()}, {'with' if row['hotel'] else 'without'} a "
            f"hotel, budget {row['budget']}, reason: “{row['reason']}”."
        )
        steps += [
            ["open", "/t/requests/new"],
            ["type", "Traveller", row["traveller"]],
            ["type", "Cost centre", row["centre"]],
            ["click", "Next"],
            ["select", "Destination", row["destination"]],
            ["type", "Leaves on", leave],
            ["type", "Back on", back],
            ["click", "Next"],
            ["check", row["by"]],
            *([["check", "Hotel"]] if row["hotel"] else []),
            ["type", "Budget", str(row["budget"])],
            ["click", "Next"],
            ["type", "Reason", row["reason"]],
            ["click", "Next"],
            ["click", "Confirm"],
        ]
    tables = {
        "requests": {
            "label": "Requests",
            "one": "request",
            "title": "traveller",
            "fields": [
                schema_field("traveller", "Traveller", required=True),
                schema_field(
                    "centre",
                    "Cost centre",
                    required=True,
                    pattern="CC-[0-9]{3}",
                    says="A cost centre is like CC-123.",
                ),
                schema_field("destination", "Destination", "choice", options=TOWNS, required=True),
                schema_field("leave", "Leaves on", "date", required=True),
                schema_field("back", "Back on", "date", required=True),
                schema_field("by", "By", "radio", options=("Train", "Plane", "Car"), required=True),
                schema_field("hotel", "Hotel", "flag", default=False),
                schema_field("budget", "Budget", "number", min=0, max=100000, required=True),
                schema_field("reason", "Reason", "long", required=True),
            ],
            "list": ["traveller", "destination", "leave"],
            "can": ["add", "delete"],
            "steps": [
                ["traveller", "centre"],
                ["destination", "leave", "back"],
                ["by", "hotel", "budget"],
                ["reason"],
            ],
        },
        "staff": {
            "label": "Staff",
            "one": "person",
            "title": "name",
            "fields": [
                schema_field("name", "Name", fixed=True),
                schema_field("centre", "Cost centre", fixed=True),
                schema_field("town", "Town", fixed=True),
            ],
            "list": ["name", "town"],
            "find": ["name"],
            "per_page": 8,
        },
    }
    return BrowserDraft(
        " ".join(sentences),
        {"title": "Travel office", "tables": tables},
        {"requests": [], "staff": staff},
        steps,
        added={"requests": added},
    )
