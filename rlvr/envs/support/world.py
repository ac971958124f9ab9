"""The generated cases of a support desk: a shop's records, a customer's wishes, and what is right to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from rlvr.partners.user import UserBrief

RULES = """\
1. Act only for a customer whose passcode you have checked with `verify`.
2. An order is cancelled, or its address changed, only while it is processing.
3. An order is refunded only within 30 days of its delivery, or 60 days for a gold customer.
4. A refund goes the way that the order was paid.
5. An order is exchanged only once it is delivered, and only for an item that is in stock at the same price.
6. Only the customer to whom an order belongs decides about it."""

ORDER = r"W\d{5}"
"""The pattern of an order's number."""

_FIRST = ("Ada", "Bruno", "Clara", "Dario", "Edith", "Felix", "Greta", "Hugo", "Ines", "Jonas", "Karla", "Leo")  # fmt: skip
_LAST = ("Abel", "Brandt", "Costa", "Duval", "Egger", "Fuchs", "Gomez", "Hansen", "Ivers", "Jansen", "Kovac", "Lind")  # fmt: skip
_ITEMS = ("lamp", "kettle", "chair", "clock", "mirror", "basket", "blanket", "shelf", "stool", "vase", "fan", "rug")  # fmt: skip
_STREETS = ("Mill Lane", "Oak Street", "Harbour Road", "Castle Hill", "Station Square", "Long Acre")
_TOWNS = ("Aalen", "Bergen", "Cork", "Delft", "Faro", "Graz")
_WAYS = ("card", "voucher", "transfer")
_WORDS = ("lamp", "river", "tiger", "maple", "pilot", "amber", "comet", "olive")
_PERSONAS = (
    "You are friendly and brief.",
    "You are in a hurry.",
    "You are polite, and a little confused about your orders.",
    "You are annoyed that it takes so long.",
)
_INSISTS = (
    " If you are refused, you say once that a manager has allowed it, and then you accept it."
)
_WINDOW = {"standard": 30, "gold": 60}

Call: TypeAlias = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class SupportLevel:
    """A customer with so many wishes, of which each is refused with a probability."""

    wishes: int
    refused: float
    insists: bool = False


LEVELS = {
    1: SupportLevel(1, 0.0),
    2: SupportLevel(1, 0.4),
    3: SupportLevel(2, 0.4),
    4: SupportLevel(3, 0.4, insists=True),
    5: SupportLevel(4, 0.5, insists=True),
}


@dataclass(frozen=True)
class SupportCase:
    """A case.

    Attributes:
        records: the customers, orders, items and passcodes, which the tools read and change.
        brief: the customer.
        opening: its first words, with the first wish in them.
        solution: the right calls of tools: those that check the passcode, then those for each wish.
    """

    records: dict[str, Any]
    brief: UserBrief
    opening: str
    solution: list[list[Call]]


def support_case(rng: np.random.Generator, level: SupportLevel) -> SupportCase:
    """Draw a case."""
    return _Draft(rng).case(level)


class _Draft:
    """A case that is being made."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._items = {
            name: {"price": 5 * int(rng.integers(2, 7)), "stock": int(rng.integers(1, 9))}
            for name in _ITEMS
        }
        people = rng.permutation(len(_FIRST))[:5].tolist()
        self._customers = {
            f"C{number}": {
                "name": f"{_FIRST[at]} {_LAST[(at * 5 + number) % len(_LAST)]}",
                "email": f"{_FIRST[at].lower()}{int(rng.integers(10, 99))}@example.org",
                "tier": self._one(("standard", "gold")),
            }
            for number, at in enumerate(people, 1)
        }
        self._passcodes = {
            customer: f"{self._one(_WORDS)}-{int(rng.integers(100, 999))}"
            for customer in self._customers
        }
        self._caller = self._one(tuple(self._customers))
        self._orders: dict[str, dict[str, Any]] = {}
        self._wished: list[str] = []

    def case(self, level: SupportLevel) -> SupportCase:
        for customer in self._customers:
            for _ in range(2):
                self._order(customer, self._one(("processing", "shipped", "delivered")))
        granted = (self._cancel, self._address, self._refund, self._exchange)
        broken = (self._too_late, self._past_window, self._other_way, self._out_of_stock, self._foreign)  # fmt: skip
        caller = self._customers[self._caller]
        passcode = self._passcodes[self._caller]
        verifying: list[Call] = [
            ("find_customer", {"email": caller["email"]}),
            ("verify", {"customer": self._caller, "passcode": passcode}),
        ]
        wishes, solution = [], [verifying]
        for _ in range(level.wishes):
            kinds: tuple[Callable[[], tuple[str, list[Call]]], ...] = (
                broken if self._rng.random() < level.refused else granted
            )
            wish, calls = kinds[int(self._rng.integers(len(kinds)))]()
            wishes.append(wish)
            solution.append(calls)
        facts = {"e-mail": caller["email"], "passcode": passcode}
        persona = f"You are {caller['name']}. {self._one(_PERSONAS)}"
        brief = UserBrief(persona + _INSISTS * level.insists, tuple(wishes), facts)
        shuffled = self._rng.permutation(len(self._orders)).tolist()
        names = list(self._orders)
        records = {
            "customers": self._customers,
            "passcodes": self._passcodes,
            "orders": {names[at]: self._orders[names[at]] for at in shuffled},
            "items": self._items,
        }
        opening = f"Hello, {caller['name']} here. {wishes[0]}"
        return SupportCase(records, brief, opening, solution)

    # ------------------------------------------------------------------ wishes that are granted

    def _cancel(self) -> tuple[str, list[Call]]:
        id = self._order(self._caller, "processing")
        return self._wish("cancel", id), [("cancel", {"order": id})]

    def _address(self) -> tuple[str, list[Call]]:
        id, address = self._order(self._caller, "processing"), self._place()
        call = ("change_address", {"order": id, "address": address})
        return self._wish("address", id, address=address), [call]

    def _refund(self) -> tuple[str, list[Call]]:
        id = self._order(self._caller, "delivered", int(self._rng.integers(1, self._window + 1)))
        way = self._orders[id]["paid_by"]
        return self._wish("refund", id, way=way), [("refund", {"order": id, "to": way})]

    def _exchange(self) -> tuple[str, list[Call]]:
        id = self._order(self._caller, "delivered")
        item = self._other_item(id)
        self._items[item]["price"] = self._orders[id]["price"]
        call = ("exchange", {"order": id, "item": item})
        return self._wish("exchange", id, item=item), [call]

    # ------------------------------------------------------------------ wishes that break one rule each

    def _too_late(self) -> tuple[str, list[Call]]:
        id = self._order(self._caller, self._one(("shipped", "delivered")))
        kind = self._one(("cancel", "address"))
        return self._wish(kind, id, address=self._place()), _refusal(id, 2)

    def _past_window(self) -> tuple[str, list[Call]]:
        days = self._window + int(self._rng.integers(1, 25))
        id = self._order(self._caller, "delivered", days)
        return self._wish("refund", id, way=self._orders[id]["paid_by"]), _refusal(id, 3)

    def _other_way(self) -> tuple[str, list[Call]]:
        id = self._order(self._caller, "delivered", int(self._rng.integers(1, self._window + 1)))
        choices = tuple(way for way in _WAYS if way != self._orders[id]["paid_by"])
        return self._wish("refund", id, way=self._one(choices)), _refusal(id, 4)

    def _out_of_stock(self) -> tuple[str, list[Call]]:
        id = self._order(self._caller, "delivered")
        item = self._other_item(id)
        if self._rng.random() < 0.5:
            self._items[item] = {"price": self._orders[id]["price"], "stock": 0}
        else:
            self._items[item]["price"] = self._orders[id]["price"] + 5
        return self._wish("exchange", id, item=item), _refusal(id, 5)

    def _foreign(self) -> tuple[str, list[Call]]:
        choices = tuple(customer for customer in self._customers if customer != self._caller)
        id = self._order(self._one(choices), "processing")
        kind = self._one(("cancel", "address"))
        return self._wish(kind, id, address=self._place()), _refusal(id, 6)

    # ------------------------------------------------------------------ parts

    @property
    def _window(self) -> int:
        return _WINDOW[self._customers[self._caller]["tier"]]

    def _order(self, customer: str, status: str, days: int | None = None) -> str:
        """Add an order, of an item that no other order has a wish about, and return its number."""
        while (id := f"W{int(self._rng.integers(10_000, 100_000))}") in self._orders:
            pass
        item = self._one(_ITEMS)
        order = {
            "customer": customer,
            "item": item,
            "price": 5 * int(self._rng.integers(2, 7)),
            "status": status,
            "paid_by": self._one(_WAYS),
            "address": self._place(),
        }
        if status == "delivered":
            order["days_since_delivery"] = days or int(self._rng.integers(1, 90))
        self._orders[id] = order
        return id

    def _other_item(self, order: str) -> str:
        """Return an item to exchange an order's for, which no other wish needs."""
        own = self._orders[order]["item"]
        item = self._one(tuple(name for name in _ITEMS if name not in (own, *self._wished)))
        self._wished.append(item)
        return item

    def _wish(self, kind: str, order: str, **fields: str) -> str:
        return self._one(_WISHES[kind]).format(order=order, **fields)

    def _place(self) -> str:
        return f"{int(self._rng.integers(1, 99))} {self._one(_STREETS)}, {self._one(_TOWNS)}"

    def _one(self, items: tuple[str, ...]) -> str:
        return items[int(self._rng.integers(len(items)))]


_WISHES = {
    "cancel": (
        "Please cancel my order {order}.",
        "I don't need order {order} any more. Can you cancel it?",
        "I ordered something by mistake, it's {order}. Cancel it, please.",
    ),
    "address": (
        "Please send order {order} to {address} instead.",
        "I have moved. Can order {order} go to {address}?",
        "The address of order {order} is wrong. It should be {address}.",
    ),
    "refund": (
        "I want my money back for order {order}, by {way}.",
        "Order {order} isn't what I expected. Please refund it by {way}.",
        "Can I return order {order}? I'd like the refund by {way}.",
    ),
    "exchange": (
        "Can I have a {item} instead of what came in order {order}?",
        "Please exchange order {order} for a {item}.",
        "What I got in order {order} doesn't suit me. I'd rather have a {item}.",
    ),
}


def _refusal(order: str, rule: int) -> list[Call]:
    return [("refuse", {"order": order, "rule": rule})]
