"""A server with tools that work, fail, hang and die, by stdio or by HTTP: python server.py [PORT]."""

from __future__ import annotations

import os
import sys
import time
from typing import Any, Literal

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("shop")
orders: list[str] = []


@server.tool()
def price(item: str, currency: Literal["EUR", "USD"] = "EUR") -> str:
    """Return the price of an item."""
    if item == "unicorn":
        raise ToolError("there's no unicorn in this shop")
    return f"{len(item)} {currency}"


@server.tool(name="add-order")
def add_order(item: str, options: dict[str, Any] | None = None) -> int:
    """Order an item, and return the number of orders."""
    orders.append(item)
    return len(orders)


@server.tool()
def wait(seconds: float) -> str:
    """Wait."""
    time.sleep(seconds)
    return "done"


@server.tool()
def die() -> str:
    """End the server."""
    os._exit(3)


@server.tool()
def long(count: int) -> str:
    """Say a lot."""
    return "word " * count


@server.tool()
def environment(name: str) -> str:
    """Return a variable of the server's environment."""
    return os.environ.get(name, "(unset)")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", port=int(sys.argv[1]))
    else:
        server.run("stdio")
