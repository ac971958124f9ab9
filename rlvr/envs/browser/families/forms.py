"""Families about forms: orders with options, to-do lists, registrations that are validated."""

from __future__ import annotations

import numpy as np

from rlvr.envs.browser.families.common import (
    BrowserDraft,
    Row,
    address,
    by_level,
    day,
    numbered,
    people,
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
