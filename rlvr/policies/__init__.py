"""Whatever answers a prompt."""
