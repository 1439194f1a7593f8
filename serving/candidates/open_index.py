"""From a configuration to an index."""

from __future__ import annotations

from serving.candidates.candidate_index import CandidateIndex
from serving.candidates.errors import IndexFolderError
from serving.candidates.exact_index import ExactIndex
from serving.candidates.faiss_index import FaissIndex
from serving.candidates.index_config import IndexConfig
from serving.candidates.milvus_index import MilvusIndex


def open_index(config: IndexConfig, dimension: int, model_version: str = "") -> CandidateIndex:
    """Open the index that a configuration names: a saved one, a collection, or an empty one.

    Args:
        config: Kind, place and parameters.
        dimension: Length of the model's vectors.
        model_version: What the vectors must come from.  Default: whatever is there.

    Raises:
        CandidateError: one of its subclasses, with one sentence.
    """
    if config.kind == "milvus":
        return MilvusIndex(config.uri, dimension, config.collection, config.token, model_version, config.timeout_s)
    if not config.folder:
        return FaissIndex(dimension, config.faiss) if config.kind == "faiss" else ExactIndex(dimension)
    expected = model_version or None
    index: ExactIndex | FaissIndex
    if config.kind == "faiss":
        index = FaissIndex.open(config.folder, expected, config.faiss)
    else:
        index = ExactIndex.open(config.folder, expected)
    if index.dimension != dimension:
        index.close()
        raise IndexFolderError(
            f"{config.folder} holds vectors of length {index.dimension}, not {dimension}, so build the index again "
            f"from the model's vectors."
        )
    return index
