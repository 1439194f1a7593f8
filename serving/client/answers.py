"""From the output arrays of the signatures to typed results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.client.errors import ServerError
from serving.client.results import (
    Candidate,
    Candidates,
    IntentPrediction,
    Recommendations,
    ScoredItem,
    ScoredLabel,
    UserEmbedding,
)

_LABEL, _SCORE = "/label", "/score"


def read_intents(outputs: Mapping[str, NDArray[Any]], version: int) -> tuple[IntentPrediction, ...]:
    """Outputs of `intent`: `<name>/label` and `/score` `[B, d_i]`, `attention` `[B, M]`, `embedding`.

    Attention is in the alphabetical order of the intents' names; the embedding is `[B, d]`.  Models whose intents feed
    nothing have neither.

    Raises:
        ServerError: an output is missing or of another shape.
    """
    names = sorted(name[: -len(_LABEL)] for name in outputs if name.endswith(_LABEL))
    if not names:
        raise ServerError(
            f"Version {version}'s signature 'intent' names no '<intent>/label', so export the model again."
        )
    attention, embedding = None, None
    if "attention" in outputs or "embedding" in outputs:
        attention = _numbers(outputs, "attention", "intent", version)
        embedding = _numbers(outputs, "embedding", "intent", version)
    if attention is not None and attention.shape[1] != len(names):
        raise ServerError(
            f"Version {version} returned {attention.shape[1]} attention weights for the intents {names}, "
            f"so export the model again."
        )
    pairs = {name: _pair(outputs, name + _LABEL, name + _SCORE, "intent", version) for name in names}
    return tuple(
        IntentPrediction(
            intents={
                name: tuple(
                    ScoredLabel(_text(label), float(score))
                    for label, score in zip(labels[row], scores[row], strict=True)
                )
                for name, (labels, scores) in pairs.items()
            },
            attention={} if attention is None else dict(zip(names, attention[row].astype(float).tolist(), strict=True)),
            embedding=None if embedding is None else embedding[row].astype(np.float32),
            model_version=version,
        )
        for row in range(len(pairs[names[0]][0]))
    )


def read_recommendations(outputs: Mapping[str, NDArray[Any]], version: int, k: int) -> tuple[Recommendations, ...]:
    """Outputs of `item`: `item_id` and `score` `[B, K]`, best first; entries without an id are not filled.

    Raises:
        ServerError: an output is missing or of another shape.
    """
    ids, scores = _pair(outputs, "item_id", "score", "item", version)
    return tuple(
        Recommendations(
            items=tuple(
                ScoredItem(_text(item), float(score)) for item, score in zip(ids[row], scores[row], strict=True) if item
            )[:k],
            model_version=version,
        )
        for row in range(len(ids))
    )


def read_candidates(outputs: Mapping[str, NDArray[Any]], version: int) -> tuple[Candidates, ...]:
    """Outputs of `retrieve`: `item_id`, `source` and `score` `[B, N]`, `mass` `[B, K]`; what has no id is not filled.

    Raises:
        ServerError: an output is missing or of another shape.
    """
    ids, scores = _pair(outputs, "item_id", "score", "retrieve", version)
    sources, _ = _pair(outputs, "source", "score", "retrieve", version)
    mass = _numbers(outputs, "mass", "retrieve", version)
    return tuple(
        Candidates(
            items=tuple(
                Candidate(_text(item), float(score), _text(source))
                for item, score, source in zip(ids[row], scores[row], sources[row], strict=True)
                if item
            ),
            mass=tuple(map(float, mass[row])),
            model_version=version,
        )
        for row in range(len(ids))
    )


def read_ranking(
    outputs: Mapping[str, NDArray[Any]], version: int, candidates: NDArray[Any]
) -> tuple[tuple[ScoredItem, ...], ...]:
    """Outputs of `rank`: `score` `[B, C]` of the candidates that were sent, best first; `""` is left out.

    There may be more columns: a server that batches requests pads them to one width.

    Raises:
        ServerError: the output is missing or of another shape.
    """
    scores = _numbers(outputs, "score", "rank", version)
    scores = scores[:, : candidates.shape[1]]
    if scores.shape != candidates.shape:
        raise ServerError(
            f"Version {version} returned scores of shape {scores.shape} for {candidates.shape} candidates from "
            f"signature 'rank', so export the model again."
        )
    rows = []
    for names, values in zip(candidates, scores, strict=True):
        texts = [name if isinstance(name, str) else _text(name) for name in names]
        known = [ScoredItem(text, float(value)) for text, value in zip(texts, values, strict=True) if text]
        rows.append(tuple(sorted(known, key=lambda item: -item.score)))
    return tuple(rows)


def read_embeddings(outputs: Mapping[str, NDArray[Any]], version: int) -> tuple[UserEmbedding, ...]:
    """Outputs of `embed`: `item_state` and, where the model has it, `intent_embedding`, `[B, d]` each.

    Raises:
        ServerError: an output is missing or of another shape.
    """
    state = _numbers(outputs, "item_state", "embed", version).astype(np.float32)
    if "intent_embedding" not in outputs:
        return tuple(UserEmbedding(None, row, version) for row in state)
    intent = _numbers(outputs, "intent_embedding", "embed", version).astype(np.float32)
    return tuple(UserEmbedding(z, row, version) for z, row in zip(intent, state, strict=True))


def _output(outputs: Mapping[str, NDArray[Any]], name: str, signature: str, version: int) -> NDArray[Any]:
    array = outputs.get(name)
    if array is None or array.ndim != 2:
        raise ServerError(
            f"Version {version} returned no {name!r} of two dimensions from signature {signature!r}, "
            f"so export the model again."
        )
    return array


def _numbers(outputs: Mapping[str, NDArray[Any]], name: str, signature: str, version: int) -> NDArray[Any]:
    array = _output(outputs, name, signature, version)
    if array.dtype.kind != "f":
        raise ServerError(
            f"Version {version} returned {name!r} of {array.dtype.name} instead of fractions from signature "
            f"{signature!r}, so export the model again."
        )
    return array


def _pair(
    outputs: Mapping[str, NDArray[Any]], names: str, scores: str, signature: str, version: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """An output of strings and the one of their scores, of one shape."""
    left, right = _output(outputs, names, signature, version), _output(outputs, scores, signature, version)
    if left.dtype != object or right.dtype.kind != "f" or left.shape != right.shape:
        raise ServerError(
            f"Version {version} returned {names!r} and {scores!r} from signature {signature!r} that do not "
            f"pair up as texts and scores, so export the model again."
        )
    return left, right


def _text(value: bytes) -> str:
    """UTF-8 as text; other bytes survive as surrogates, so that an id can be sent back unchanged."""
    return value.decode("utf-8", "surrogateescape")
