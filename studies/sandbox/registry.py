"""The tasks a sandboxed child can do, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Answer = tuple[dict[str, Any], list[bytes]]
"""What a task returns: JSON-able values, and blobs that JSON cannot carry."""

Task = Callable[[dict[str, Any], list[bytes]], Answer]

tasks: dict[str, Task] = {}
preloads: list[Callable[[], None]] = []


def task(name: str) -> Callable[[Task], Task]:
    """Register a function of (args, blobs) under the name that `sandbox.run` asks for."""

    def register(function: Task) -> Task:
        if name in tasks:
            raise ValueError(f"two tasks are called {name!r}")
        tasks[name] = function
        return function

    return register


def preload(function: Callable[[], None]) -> Callable[[], None]:
    """Register what must be loaded before any child is confined, for a child cannot open a file any more."""
    preloads.append(function)
    return function
