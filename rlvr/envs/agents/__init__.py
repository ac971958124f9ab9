"""Environments for agents: tasks that are worked on with tools in a jail."""
