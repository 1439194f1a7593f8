"""An exported model that fills pages, asked in the process in large batches."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from pipelines.abtest.service import Question, Service, Shown
from pipelines.catalogue import CATALOGUE
from pipelines.validate import DataError
from serving.local.loaded_model import LoadedModel
from serving.local.request_error import RequestError

BATCH = 256
KNOWN = {"item_id", "timestamp", "request_time", "exclude_item_id", "interest"}
KNOWN |= {"action_type", "source_interest", "duration"}


class ExportedPolicy:
    """Shows the first titles that a signature of an exported version returns.

    Args:
        folder: of the version.
        service: the simulated service; its catalogue must be the one the model was trained on.
        signature: ``item``, or ``retrieve`` to compare candidates.
        size: titles on a page.

    Raises:
        DataError: no such model or signature, or it is of another service.
    """

    def __init__(self, folder: Path, service: Service, signature: str = "item", size: int = 10) -> None:
        self.signature, self.size = signature, size
        try:
            self._model = LoadedModel(folder.absolute())
            self._inputs = self._model.signature_def(signature).inputs
        except (ValueError, RequestError) as error:
            raise DataError(f"{folder}: {error}") from None
        _check_catalogue(folder, service)
        if strange := sorted(set(self._inputs) - KNOWN):
            raise DataError(f"{folder}: asks for {strange[0]}, which the simulated service does not know.")
        self._length = self._inputs["item_id"].tensor_shape.dim[1].size

    def __call__(self, questions: Sequence[Question]) -> list[Shown]:
        """A page for each question."""
        pages: list[Shown] = []
        for start in range(0, len(questions), BATCH):
            arrays = self._arrays(questions[start : start + BATCH])
            protos = {name: tf.make_tensor_proto(arrays[name]) for name in self._inputs}
            found = self._model.predict(self.signature, protos, ["item_id"])["item_id"]
            for row in tf.make_ndarray(found):
                items = list(dict.fromkeys(one.decode() for one in row if one))
                pages.append(Shown(items[: self.size]))
        return pages

    def _arrays(self, questions: Sequence[Question]) -> dict[str, np.ndarray]:
        shape = (len(questions), self._length)
        arrays = {
            "item_id": np.full(shape, b"", object),
            "timestamp": np.zeros(shape, np.int64),
            "action_type": np.full(shape, b"", object),
            "source_interest": np.full(shape, b"", object),
            "duration": np.full(shape, np.nan, np.float32),
            "request_time": np.array([question.moment for question in questions], np.int64),
            "exclude_item_id": np.full((len(questions), 1), b"", object),
            "interest": np.full((len(questions), 3), b"", object),
        }
        for row, question in enumerate(questions):
            for place, topic in enumerate(question.topics[:3]):
                arrays["interest"][row, place] = topic.encode()
            newest = question.history[-self._length :]
            for place, event in enumerate(newest, self._length - len(newest)):
                arrays["item_id"][row, place] = event.item_id.encode()
                arrays["timestamp"][row, place] = event.timestamp
                arrays["action_type"][row, place] = event.action.encode()
                arrays["source_interest"][row, place] = event.topic.encode()
                arrays["duration"][row, place] = event.duration
        return arrays


def _check_catalogue(folder: Path, service: Service) -> None:
    """Every title the model knows must be one of the service, by id and by name."""
    try:
        items = json.loads((folder / CATALOGUE).read_text(encoding="utf-8"))["items"]
        known = {str(item["id"]): item.get("title") for item in items}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise DataError(f"{folder / CATALOGUE}: is missing or damaged; export the model again.") from None
    titles = {title.item_id: title.name for title in service.catalogue.titles}
    if not known or any(titles.get(item) != name for item, name in known.items()):
        raise DataError(
            f"{folder}: was not trained on this simulated service; name its --size and --data-seed, or train on it."
        )
