"""Jails in Docker containers, and the image that they start from; see `backend.Docker`."""

from rlvr.sandboxes.docker.backend import IMAGE, Docker, reap

__all__ = ["IMAGE", "Docker", "reap"]
