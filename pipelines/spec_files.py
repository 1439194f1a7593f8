"""A :class:`DataSpec` as files: schema.yaml, vocabulary/*.txt, catalogue.npz, spec.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.schema import Schema
from intentrec_tf.vocabulary import Vocabulary

_ITEMS = "item_id"
_PRIOR = "prior"
_FEATURE = "feature."


def save_spec(spec: DataSpec, folder: Path) -> None:
    """Write ``spec`` into an existing folder."""
    (folder / "vocabulary").mkdir()
    (folder / "schema.yaml").write_text(spec.schema.to_yaml(), encoding="utf-8")
    for name, vocabulary in {_ITEMS: spec.items, **spec.vocabularies}.items():
        text = json.dumps(vocabulary.tokens, ensure_ascii=False, indent=0)
        (folder / "vocabulary" / f"{name}.json").write_text(text, encoding="utf-8")
    arrays: dict[str, Any] = {_PRIOR: spec.item_prior}
    arrays |= {_FEATURE + name: values for name, values in spec.catalogue.items()}
    np.savez(folder / "catalogue.npz", **arrays)
    rest = {
        "intent_labels": spec.intent_labels,
        "numeric_ranges": spec.numeric_ranges,
        "event_widths": spec.event_widths,
        "intent_priors": {name: prior.tolist() for name, prior in spec.intent_priors.items()},
    }
    (folder / "spec.json").write_text(json.dumps(rest, indent=1, ensure_ascii=False), encoding="utf-8")


def load_spec(folder: Path) -> DataSpec:
    """Read what :func:`save_spec` wrote; a damaged file may raise anything."""
    vocabularies = {
        path.stem: Vocabulary(_tokens(json.loads(path.read_text(encoding="utf-8"))))
        for path in sorted((folder / "vocabulary").glob("*.json"))
    }
    with np.load(folder / "catalogue.npz", allow_pickle=False) as arrays:
        prior = arrays[_PRIOR]
        names = [name for name in arrays.files if name.startswith(_FEATURE)]
        catalogue = {name.removeprefix(_FEATURE): arrays[name] for name in names}
    rest = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    return DataSpec(
        schema=Schema.from_yaml(folder / "schema.yaml"),
        items=vocabularies.pop(_ITEMS),
        vocabularies=vocabularies,
        item_prior=prior,
        catalogue=catalogue,
        intent_labels={name: tuple(labels) for name, labels in rest["intent_labels"].items()},
        numeric_ranges={name: (low, high) for name, (low, high) in rest["numeric_ranges"].items()},
        event_widths=rest["event_widths"],
        intent_priors={name: np.asarray(prior, np.float32) for name, prior in rest["intent_priors"].items()},
    )


def _tokens(values: Any) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError("tokens must be texts")
    return values
