"""Candidates: indexes of item vectors (exact, FAISS, Milvus), and one list from several searches.

    from serving.candidates import IndexConfig, open_index

    with open_index(IndexConfig(kind="faiss"), dimension=64) as index:
        index.upsert(item_ids, vectors)
        index.search(user_vectors, k=100)

NumPy alone is imported here; faiss and pymilvus are, once an index of theirs is opened.
"""

from serving.candidates.candidate_index import CandidateIndex
from serving.candidates.errors import (
    CandidateError,
    CandidateInputError,
    IndexFolderError,
    IndexServerError,
    MissingPackageError,
)
from serving.candidates.exact_index import ExactIndex
from serving.candidates.faiss_index import FaissIndex
from serving.candidates.faiss_parameters import FaissParameters
from serving.candidates.index_config import IndexConfig
from serving.candidates.merge import Merged, deal, merge_by_score, merge_candidates, split_budget, without_excluded
from serving.candidates.milvus_index import MilvusIndex
from serving.candidates.neighbours import Neighbours
from serving.candidates.open_index import open_index
from serving.candidates.recall import Recall, recall_against

__all__ = [
    "CandidateError",
    "CandidateIndex",
    "CandidateInputError",
    "ExactIndex",
    "FaissIndex",
    "FaissParameters",
    "IndexConfig",
    "IndexFolderError",
    "IndexServerError",
    "Merged",
    "MilvusIndex",
    "MissingPackageError",
    "Neighbours",
    "Recall",
    "deal",
    "merge_by_score",
    "merge_candidates",
    "open_index",
    "recall_against",
    "split_budget",
    "without_excluded",
]
