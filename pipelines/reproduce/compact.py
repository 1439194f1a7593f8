"""Small integers of many targets as a short text in a JSON file."""

from __future__ import annotations

import base64
import zlib

import numpy as np

DEEPEST = {"model": 20, "retrieval": 1000}  # where the reported metrics of either stop looking
_TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "int64")


def pack_numbers(values: np.ndarray) -> str:
    """Integers [n] as ``<dtype>:<base64 of zlib's bytes>``, in the smallest dtype that holds them."""
    low, high = (int(values.min()), int(values.max())) if len(values) else (0, 0)
    dtype = next(np.dtype(t) for t in _TYPES if np.iinfo(t).min <= low and high <= np.iinfo(t).max)
    packed = zlib.compress(values.astype(dtype.newbyteorder("<")).tobytes(), 9)
    return f"{dtype.name}:{base64.b64encode(packed).decode('ascii')}"


def unpack_numbers(text: str) -> np.ndarray:
    """What :func:`pack_numbers` packed, int64 [n]."""
    dtype, _, packed = text.partition(":")
    return np.frombuffer(zlib.decompress(base64.b64decode(packed)), np.dtype(dtype).newbyteorder("<")).astype(np.int64)


def top_ranks(ranks: np.ndarray, deepest: int) -> np.ndarray:
    """Ranks with everything behind a place as 0."""
    return np.where(ranks <= deepest, ranks, 0)


def gains(ranks: np.ndarray, metric: str) -> np.ndarray:
    """Each target's part of ``HR@k`` or ``NDCG@k`` from :func:`top_ranks`, float [n].

    Args:
        metric: k at most as deep as the ranks were kept.
    """
    name, _, cutoff = metric.partition("@")
    hit = (ranks > 0) & (ranks <= int(cutoff))
    return hit / np.log2(1 + np.maximum(ranks, 1)) if name == "NDCG" else hit.astype(float)
