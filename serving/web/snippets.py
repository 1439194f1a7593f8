"""A question to the model as Python that people can paste."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def python_call(server: str, model: str, method: str, request: Mapping[str, Any]) -> str:
    """A small program that asks the same.

    Args:
        server: Address, as the client takes it.
        model: Name.
        method: Of :class:`serving.client.IntentRecClient`.
        request: Keyword arguments of the method; `history` becomes a variable.
    """
    events = "".join(f"    {dict(event)!r},\n" for event in request["history"])
    others = ", ".join(f"{name}={value!r}" for name, value in request.items() if name != "history")
    return (
        "from serving.client import IntentRecClient\n\n"
        f"history = [\n{events}]\n\n"
        f"with IntentRecClient({server!r}, model={model!r}) as client:\n"
        f"    print(client.{method}(history{', ' + others if others else ''}))\n"
    )
