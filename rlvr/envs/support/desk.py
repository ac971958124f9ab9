"""The toolbox of a support desk: a shop's records, tools that change them, and a customer who answers."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from rlvr.core.episode import Episode, ModelMessage, Reply
from rlvr.core.errors import ToolError
from rlvr.core.task import Task, content_text
from rlvr.envs.support.world import ORDER
from rlvr.envs.toolboxes.base import Toolbox
from rlvr.partners.partner import Partner
from rlvr.partners.user import ControlUser, KnownValues, SaysAll, User, UserBrief

_RULES = (KnownValues(ORDER), SaysAll(ORDER))
_SERVER_S = 600.0
_MOST_REFUSALS = 100


class SupportSession(Episode):
    """The tools of one conversation. They do what they are told: the rules are the agent's to keep."""

    def __init__(self, task: Task, partner: Partner) -> None:
        super().__init__(task)
        self._before: dict[str, Any] = task.metadata["records"]
        self._records = copy.deepcopy(self._before)
        self._verified: set[str] = set()
        self._unverified: set[str] = set()
        self._refusals: list[list[Any]] = []
        brief = UserBrief.from_json(task.metadata["user"])
        self._user = User(partner, brief.persona, brief.goal, facts=brief.facts, rules=_RULES)

    async def open(self) -> None:
        """Begin the customer's conversation."""
        await self._user.open(self, content_text(self.task.prompt[-1]))

    async def reply(self, message: ModelMessage) -> Reply:
        """Return what the customer says to a message without a call."""
        answer = await self._user.hear(message.content)
        return Reply(answer.text, over=answer.over)

    def outcome(self) -> Any:
        """Return what has changed, what was refused by which rule, and the orders of customers who weren't verified."""
        changes = {
            f"{kind}.{id}.{field}": value
            for kind in ("orders", "items")
            for id, row in self._records[kind].items()
            for field, value in row.items()
            if self._before[kind][id].get(field) != value
        }
        return {
            "changes": changes,
            "refusals": sorted(self._refusals),
            "unverified": sorted(self._unverified),
        }

    # ------------------------------------------------------------------ tools

    def find_customer(self, email: str) -> dict[str, object]:
        """Return the customer with an e-mail address, with the numbers of the orders.

        Args:
            email: the whole address.
        """
        for id, customer in self._records["customers"].items():
            if customer["email"] == email.strip().lower():
                orders = [
                    n for n, order in self._records["orders"].items() if order["customer"] == id
                ]
                return {"customer": id, **customer, "orders": orders}
        raise ToolError("there's no customer with that address")

    def verify(self, customer: str, passcode: str) -> str:
        """Check the passcode that a customer has told you.

        Args:
            customer: the customer's number, such as "C1".
            passcode: as the customer said it.
        """
        if self._row("customers", customer) and self._records["passcodes"][customer] == passcode:
            self._verified.add(customer)
            return "The passcode is right."
        return "The passcode is wrong."

    def order(self, order: str) -> dict[str, object]:
        """Return an order: its customer, item, price, status, payment, address, and the days since its delivery.

        Args:
            order: its number, such as "W12345".
        """
        return dict(self._row("orders", order))

    def item(self, name: str) -> dict[str, object]:
        """Return the price of an item, and how many are in stock.

        Args:
            name: such as "lamp".
        """
        return dict(self._row("items", name))

    def cancel(self, order: str) -> str:
        """Cancel an order.

        Args:
            order: its number.
        """
        return self._change(order, status="cancelled")

    def change_address(self, order: str, address: str) -> str:
        """Change the address of an order.

        Args:
            order: its number.
            address: the new address, as the customer said it.
        """
        return self._change(order, address=address.strip().rstrip("."))

    def refund(self, order: str, to: Literal["card", "voucher", "transfer"]) -> str:
        """Take an order back and refund its price.

        Args:
            order: its number.
            to: the way of the money.
        """
        return self._change(order, status="refunded", refunded_to=to)

    def exchange(self, order: str, item: str) -> str:
        """Send another item in exchange for that of an order.

        Args:
            order: its number.
            item: the new item's name.
        """
        wanted = self._row("items", item)
        self._row("orders", order)
        wanted["stock"] -= 1
        return self._change(order, status="exchanged", item=item)

    def refuse(self, order: str, rule: int) -> str:
        """Note that a customer's wish is refused.

        Args:
            order: the number of the order that the wish is about.
            rule: the number of the rule that it breaks.
        """
        self._row("orders", order)
        if not 1 <= rule <= 6:
            raise ToolError("the rules have the numbers 1 to 6")
        if len(self._refusals) >= _MOST_REFUSALS:
            raise ToolError("there are too many refusals")
        self._refusals.append([order, rule])
        self._act_on(order)
        return "It is noted."

    def finish(self) -> Reply:
        """End the conversation."""
        return Reply("The conversation is over.", over=True)

    def _change(self, order: str, **fields: str) -> str:
        self._row("orders", order).update(fields)
        self._act_on(order)
        return "It is done."

    def _act_on(self, order: str) -> None:
        if not self._verified:
            self._unverified.add(order)

    def _row(self, kind: str, id: str) -> dict[str, Any]:
        row: dict[str, Any] | None = self._records[kind].get(id)
        if row is None:
            raise ToolError(f"there's no {id!r:.40} among the {kind}")
        return row


@dataclass(frozen=True)
class SupportDesk(Toolbox):
    """The tools of a support desk, with a customer behind a policy.

    Attributes:
        user: the partner that plays the customer.
        varies: True if the customer may answer the same message in another way the next time.
    """

    user: Partner
    varies: bool = False
    name: str = "desk"

    session: ClassVar[type[Any]] = SupportSession

    @property
    def deadline_s(self) -> float:
        """The seconds that the customer may take."""
        return _SERVER_S

    def start(self, task: Task, shared: dict[str, Any]) -> SupportSession:
        """Return the session of an episode."""
        return SupportSession(task, self.user)


def right_outcome(task: Task) -> Any:
    """Return the outcome of a conversation in which the calls of the task's solution are made, and no others."""
    session = SupportSession(task, Partner(ControlUser(), "user"))
    for calls in task.metadata["solution"]:
        for name, arguments in calls:
            getattr(session, name)(**arguments)
    return session.outcome()
