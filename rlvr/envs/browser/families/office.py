"""Families about an office: messages, bookings of rooms, requests in several steps."""

from __future__ import annotations

import numpy as np

from rlvr.envs.browser.families.common import (
    TOWNS,
    BrowserDraft,
    Row,
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

_MOST_ARCHIVED = 4
_LABELS = ("None", "Later", "Urgent", "Waiting")
_ROOMS = ("Ash", "Elm", "Fir", "Yew")
_HALF_HOURS = [
    f"{minutes // 60:02}:{minutes % 60:02}" for minutes in range(9 * 60, 17 * 60 + 1, 30)
]


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
