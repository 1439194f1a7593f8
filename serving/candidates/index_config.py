"""Which index to use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from serving.candidates.errors import CandidateInputError, shown
from serving.candidates.faiss_parameters import FaissParameters

KINDS = ("exact", "faiss", "milvus")


@dataclass(frozen=True)
class IndexConfig:
    """The choice of an index and what it needs; what concerns another kind is ignored.

    Attributes:
        kind: ``"exact"``, ``"faiss"`` or ``"milvus"``.
        folder: Exact and FAISS: where a saved index lies; empty to begin with an empty one.
        faiss: FAISS: how to build and search; None keeps what a saved index was built with, and takes the defaults
            for an empty one.
        uri: Milvus: ``http://host:19530``, or a file path that ends in ``.db``.
        token: Milvus: ``user:password`` or an API key; never shown.
        collection: Milvus: name of the collection.
        timeout_s: Milvus: deadline of each request in seconds.

    Raises:
        CandidateInputError: an unknown kind, or a Milvus without an address.
    """

    kind: str = "exact"
    folder: str = ""
    faiss: FaissParameters | None = None
    uri: str = ""
    token: str = field(default="", repr=False)
    collection: str = "items"
    timeout_s: float = 30.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise CandidateInputError(f"kind is {shown(self.kind)}, so choose one of {', '.join(KINDS)}.")
        if self.kind == "milvus" and not self.uri:
            raise CandidateInputError("kind is 'milvus' without a uri, so pass http://host:19530 or a .db file.")
        if self.faiss is not None and not isinstance(self.faiss, FaissParameters):
            raise CandidateInputError(f"faiss is {shown(self.faiss)}, so pass FaissParameters.")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> IndexConfig:
        """A configuration as read from YAML or JSON; ``faiss`` is a mapping of its own.

        Raises:
            CandidateInputError: an unknown key, or a value that makes no sense.
        """
        known = _known(cls, values, "the index configuration")
        if known.get("faiss") is not None:
            known["faiss"] = FaissParameters(**_known(FaissParameters, known["faiss"], "'faiss'"))
        return cls(**known)


def _known(cls: Any, values: Any, where: str) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        raise CandidateInputError(f"{where} is {shown(values)}, so pass keys with values.")
    names = [entry.name for entry in fields(cls)]
    for key in values:
        if key not in names:
            raise CandidateInputError(f"{where} has the key {shown(key)}, so choose among {', '.join(names)}.")
    return dict(values)
