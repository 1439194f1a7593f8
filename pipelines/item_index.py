"""The item vectors of a retrieval run as an index outside the model."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from intentrec_tf.retrieval import RetrievalModel
from intentrec_tf.vocabulary import FIRST
from pipelines.input_fn import evaluation_batches
from pipelines.progress import track
from pipelines.retrieval_input import with_topics
from pipelines.run_folder import RunFolder
from pipelines.split import TEST
from pipelines.validate import DataError
from serving.candidates import (
    CandidateError,
    CandidateIndex,
    ExactIndex,
    FaissIndex,
    FaissParameters,
    MilvusIndex,
    Recall,
    recall_against,
)

AT_ONCE = 65_536
NEAREST, QUESTIONS = 100, 256


def build_index(
    run: RunFolder,
    kind: str,
    out: str,
    collection: str = "items",
    parameters: FaissParameters | None = None,
) -> CandidateIndex:
    """Fill an index with every item's vector.

    Args:
        run: a retrieval run.
        kind: ``exact``, ``faiss`` or ``milvus``.
        out: folder to write (``exact``, ``faiss``), or a Milvus: ``http://host:19530`` or a ``.db`` file.
        collection: of Milvus.
        parameters: of FAISS; None takes the usual.

    Returns:
        The index, open.

    Raises:
        DataError: the run is none of retrieval, a package is missing, or the index cannot be written.
    """
    model = run.load_retrieval_model()[0]
    dim, version = model.config.dim, run.version()
    try:
        index: ExactIndex | FaissIndex | MilvusIndex
        if kind == "milvus":
            index = MilvusIndex(out, dim, collection, model_version=version)
        else:
            index = ExactIndex(dim) if kind == "exact" else FaissIndex(dim, parameters)
        _fill(index, model, "indexing items")
        if not isinstance(index, MilvusIndex):
            index.save(Path(out), version)
    except CandidateError as error:
        raise DataError(str(error)) from None
    return index


def recall_of_questions(run: RunFolder, index: CandidateIndex) -> tuple[Recall, int]:
    """How many of the exactly nearest items an index finds for the interests behind questions of the test part.

    Args:
        run: the retrieval run the index was made of; one of topics is asked for those of the questions' answers.
        index: its index.

    Returns:
        Recall of the nearest hundred, or of all items if there are fewer, over all interests, and the number of
        questions, a random few.

    Raises:
        DataError: the search failed.
    """
    model, prepared, config = run.load_retrieval_model()
    assert config.retrieval is not None
    exact = ExactIndex(model.config.dim)
    _fill(exact, model, "indexing items exactly")
    batches = evaluation_batches(prepared, TEST, QUESTIONS, QUESTIONS)
    if model.config.interests == "conditional":
        batches = with_topics(batches, prepared, config.retrieval)
    inputs, targets = next(iter(batches))
    found = model(inputs, training=False)
    queries = tf.boolean_mask(found["queries"], found["slots"]).numpy()
    try:
        recall = recall_against(index, exact, queries, min(NEAREST, len(exact)))
    except CandidateError as error:
        raise DataError(str(error)) from None
    return recall, len(targets["item"])


def _fill(index: CandidateIndex, model: RetrievalModel, words: str) -> None:
    tokens = model.spec.items.tokens
    starts = range(0, len(tokens), AT_ONCE)
    for start in track(starts, words, len(starts)):
        names, first = tokens[start : start + AT_ONCE], start + FIRST
        index.upsert(names, model.item_vectors(first, first + len(names)).numpy())
