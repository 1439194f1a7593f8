"""The synchronous client."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from serving.client.answers import read_candidates, read_embeddings, read_intents, read_ranking, read_recommendations
from serving.client.caller import Arrays, ModelCaller
from serving.client.errors import (
    InvalidInputError,
    shown,
)
from serving.client.requests import check_batch, text_array
from serving.client.results import (
    Candidates,
    IntentPrediction,
    Recommendations,
    ScoredItem,
    UserEmbedding,
)
from serving.client.signature import SignatureInfo


class IntentRecClient(ModelCaller):
    """Asks a served model for intents, recommendations and embeddings.

    Works with TensorFlow Serving and with `serving.local` alike, and imports no TensorFlow. One client may be
    shared by many threads. The model's signatures are fetched once, checked against every request, and
    fetched again when a newer version answers.

    An event is a dict or a dataclass whose keys are the model's event columns: `item_id` (text) and
    `timestamp` (unix seconds, UTC) always, others such as `action_type` or `duration` as the model has them.
    Histories may come in any order.

    Args:
        server: `"host:port"`.
        model: Name under which the model is served.
        version: Ask this version only. Default: the newest that is loaded.
        version_label: Ask the version that carries this label, e.g. `"stable"`; not together with `version`.
        timeout_s: Deadline of each call in seconds, retries included.
        max_message_mb: Largest request or answer in MiB.

    Raises:
        InvalidInputError: an option makes no sense. Nothing is connected before the first call.

    Example:
        >>> with IntentRecClient("127.0.0.1:8500") as client:                          # doctest: +SKIP
        ...     history = [{"item_id": "862", "timestamp": 1700000000, "action_type": "play"}]
        ...     print(client.intent(history).intents["action_type"][0])
        ...     print(client.recommend(history, k=5).items)
    """

    def intent(self, history: Sequence[Any], request_time: int | None = None) -> IntentPrediction:
        """Predict what one user is about to do.

        Args:
            history: The user's events; may be empty.
            request_time: The moment of the question in unix seconds. Default: now.

        Raises:
            IntentRecError: one of its subclasses, with one sentence.
        """
        return self.intent_batch([history], request_time)[0]

    def intent_batch(
        self, histories: Sequence[Sequence[Any]], request_time: int | None = None
    ) -> tuple[IntentPrediction, ...]:
        """`intent` for several users in one call; answers in the order of `histories`."""
        answer = self.ask("intent", histories, request_time)
        return read_intents(*answer) if answer else ()

    def recommend(
        self,
        history: Sequence[Any],
        k: int = 10,
        exclude: Iterable[str] = (),
        request_time: int | None = None,
        two_stage: bool = False,
        interests: Iterable[str] = (),
    ) -> Recommendations:
        """Recommend items to one user.

        Args:
            history: The user's events; may be empty.
            k: How many items, at most the K the model was exported with.
            exclude: Ids of items not to recommend; ids the model does not know are ignored.
            request_time: The moment of the question in unix seconds. Default: now.
            two_stage: Ask for candidates first (`retrieve`) and rank only those (`rank`), for large catalogues;
                a score is then a probability among the candidates.
            interests: Topics the user declared, for `two_stage`.

        Raises:
            IntentRecError: one of its subclasses, with one sentence.
        """
        if two_stage:
            return self._in_two_stages(history, k, exclude, request_time, interests)
        if interests:
            raise InvalidInputError("interests is given without two_stage, so pass two_stage=True or leave it out.")
        return self.recommend_batch([history], k, [exclude], request_time)[0]

    def recommend_batch(
        self,
        histories: Sequence[Sequence[Any]],
        k: int = 10,
        excludes: Sequence[Iterable[str]] | None = None,
        request_time: int | None = None,
    ) -> tuple[Recommendations, ...]:
        """`recommend` for several users in one call; `excludes` holds one list of ids for each history."""
        _check_k(k)
        check_batch(histories)
        exclude = text_array("exclude", excludes, len(histories))

        def extra(signature: SignatureInfo) -> Arrays:
            info = signature.outputs.get("item_id")
            largest = info.shape[-1] if info and info.shape else None
            if largest is not None and k > largest:
                raise InvalidInputError(
                    f"k is {k} but model {self.model!r} was exported to return {largest} items, "
                    f"so ask for at most {largest} or export it with a larger k."
                )
            return {"exclude_item_id": exclude}

        answer = self.ask("item", histories, request_time, extra)
        return read_recommendations(*answer, k=int(k)) if answer else ()

    def retrieve(
        self,
        history: Sequence[Any],
        interests: Iterable[str] = (),
        exclude: Iterable[str] = (),
        request_time: int | None = None,
    ) -> Candidates:
        """Candidates for one user, from the interests in the history and the declared ones.

        Args:
            history: The user's events; may be empty.
            interests: Topics the user declared; those the model does not know are passed over.
            exclude: Ids of items that are no candidates; ids the model does not know are ignored.
            request_time: The moment of the question in unix seconds. Default: now.

        Raises:
            IntentRecError: one of its subclasses, with one sentence.
        """
        arrays = {
            "interest": text_array("interests", [interests], 1),
            "exclude_item_id": text_array("exclude", [exclude], 1),
        }
        answer = self.ask("retrieve", [history], request_time, lambda _: arrays)
        assert answer is not None
        return read_candidates(*answer)[0]

    def rank(
        self, history: Sequence[Any], candidates: Iterable[str], request_time: int | None = None
    ) -> tuple[ScoredItem, ...]:
        """Score given items for one user, best first; what the model does not know has score 0.

        Args:
            history: The user's events; may be empty.
            candidates: Ids of items, from `retrieve` or anywhere else.
            request_time: The moment of the question in unix seconds. Default: now.

        Raises:
            IntentRecError: one of its subclasses, with one sentence.
        """
        return self._rank(history, candidates, request_time)[0]

    def embed(self, history: Sequence[Any], request_time: int | None = None) -> UserEmbedding:
        """One user as vectors: the intent embedding and the item encoder's state.

        Args:
            history: The user's events; may be empty.
            request_time: The moment of the question in unix seconds. Default: now.

        Raises:
            IntentRecError: one of its subclasses, with one sentence.
        """
        return self.embed_batch([history], request_time)[0]

    def embed_batch(
        self, histories: Sequence[Sequence[Any]], request_time: int | None = None
    ) -> tuple[UserEmbedding, ...]:
        """`embed` for several users in one call; answers in the order of `histories`."""
        answer = self.ask("embed", histories, request_time)
        return read_embeddings(*answer) if answer else ()

    def _rank(
        self, history: Sequence[Any], candidates: Iterable[str], request_time: int | None
    ) -> tuple[tuple[ScoredItem, ...], int]:
        array = text_array("candidates", [candidates], 1)
        answer = self.ask("rank", [history], request_time, lambda _: {"candidate_item_id": array})
        assert answer is not None
        return read_ranking(*answer, array)[0], answer[1]

    def _in_two_stages(
        self,
        history: Sequence[Any],
        k: int,
        exclude: Iterable[str],
        request_time: int | None,
        interests: Iterable[str],
    ) -> Recommendations:
        _check_k(k)
        moment = int(time.time()) if request_time is None else request_time  # the same for both stages
        found = self.retrieve(history, interests, exclude, moment)
        ranked, version = self._rank(history, [item.item_id for item in found.items], moment)
        return Recommendations(ranked[:k], version)


def _check_k(k: Any) -> None:
    if not isinstance(k, (int, np.integer)) or isinstance(k, bool) or k < 1:
        raise InvalidInputError(f"k is {shown(k)}, so pass a whole number from 1 on.")
