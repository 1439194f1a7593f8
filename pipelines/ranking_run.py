"""What the training of a ranker needs of other runs."""

from __future__ import annotations

import tensorflow as tf

from intentrec_tf.ranking import JointRanker, Ranker
from pipelines.config import RankingRunConfig, TrainingConfig
from pipelines.prepared import PreparedData
from pipelines.ranking_input import listed_batches, ranking_batches
from pipelines.ranking_questions import RankingQuestions, candidates_of
from pipelines.run_folder import NAME_ANOTHER, RunFolder
from pipelines.split import VALIDATION
from pipelines.two_stage import make_retriever
from pipelines.validate import DataError

QUESTIONS = "questions"


def parts_of(prepared: PreparedData, config: RankingRunConfig) -> dict[str, str]:
    """Versions of the runs that a ranker is trained with: ``run`` and, if named, ``retrieval``.

    Raises:
        DataError: one is missing, unfinished, of another kind, or of other data.
    """
    found = {}
    base = RunFolder(config.run)
    base.check_kind("model", NAME_ANOTHER)
    folders = {"run": base}
    if config.retrieval is not None:
        folders["retrieval"] = RunFolder(config.retrieval)
        folders["retrieval"].check_kind("retrieval", "name one, or leave out ranking.retrieval")
    for name, run in folders.items():
        if run.read()[0].fingerprint != prepared.fingerprint:
            raise DataError(f"{run.folder}: was trained on other data than {prepared.folder}; train both on the same.")
        found[name] = run.version()
    return found


class RankingSources:
    """Batches for a ranker, from the IntentRec run and the retrieval run that its configuration names.

    Args:
        ranker: to be trained; its item vectors become those of the IntentRec model.
        prepared: the data.
        config: of the ranker.
        training: how it is fitted.
        run: its folder, which keeps the questions.

    Raises:
        DataError: a run that cannot be loaded.
    """

    def __init__(
        self,
        ranker: Ranker,
        prepared: PreparedData,
        config: RankingRunConfig,
        training: TrainingConfig,
        run: RunFolder,
    ) -> None:
        model = RunFolder(config.run).load_next_item_model()[0]
        ranker.start_from(model)
        retriever = None
        count = min(config.candidates, len(prepared.spec.items.tokens))
        if config.retrieval is not None:
            retriever = make_retriever(RunFolder(config.retrieval), None, count)
        self._prepared, self._config, self._training = prepared, config, training
        self._joint = JointRanker(ranker, model)
        self._count = count
        self._find = candidates_of(prepared, retriever, count)
        self._questions = RankingQuestions(run.folder / QUESTIONS, self._joint, count)

    def training_batches(self) -> tf.data.Dataset:
        """Of :func:`ranking_batches`; the first call computes candidates and features."""
        training = self._training
        if not self._questions.files:
            self._questions.write(self._prepared, self._joint, self._find, self._config.questions, training.seed)
        return ranking_batches(
            self._prepared, self._config, self._joint, self._questions, training.rows_per_batch, training.seed
        )

    def validation_batches(self) -> tf.data.Dataset:
        """Of :func:`listed_batches`."""
        targets, seed = self._training.validation_targets, self._training.seed
        return listed_batches(self._prepared, self._joint, self._find, VALIDATION, self._count, targets, seed)
