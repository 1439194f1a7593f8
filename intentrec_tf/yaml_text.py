"""YAML in which no key may be given twice."""

from __future__ import annotations

from typing import Any

import yaml


class RepeatedKeyError(ValueError):
    """A mapping gives a key again; the message says which, and on which line."""


class _Loader(yaml.SafeLoader):
    """As ``yaml.SafeLoader``, which lets the last of several win without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            name = (key.tag, key.value) if isinstance(key, yaml.ScalarNode) else None
            if name in seen:
                raise RepeatedKeyError(f"line {key.start_mark.line + 1} gives the key '{key.value}' again")
            if name is not None:
                seen.add(name)
        return super().construct_mapping(node, deep)


def load_yaml(text: str) -> Any:
    """Plain values of a YAML text.

    Raises:
        RepeatedKeyError: a mapping gives a key twice.
        yaml.YAMLError: it is not YAML.
        ValueError, RecursionError: it holds a date that there is not, or is nested too deeply.
    """
    return yaml.load(text, Loader=_Loader)
