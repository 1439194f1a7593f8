"""Whether an exported version answers as Keras did when it was exported."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from intentrec_tf.export import Signatures
from pipelines.export.warmup import Arrays, Request, read_requests
from pipelines.validate import DataError

ANSWERS = "verification.npz"
RELATIVE, ABSOLUTE = 1e-3, 1e-4  # what libraries and processors may differ by
TIES = 0.02  # share of names, and of what is counted, that may differ, where scores are equal


@dataclass(frozen=True)
class Verification:
    """What was compared.

    Attributes:
        requests: number of them.
        signatures: their names.
        largest_difference: of two numbers.
    """

    requests: int
    signatures: tuple[str, ...]
    largest_difference: float


def keras_answers(signatures: Signatures, requests: Iterable[Request]) -> list[Arrays]:
    """What the Keras model answers, layer by layer, without any graph."""
    answers = []
    for request in requests:
        function = getattr(signatures, "item" if request.signature == "serving_default" else request.signature)
        answer = function(**{name: tf.constant(values) for name, values in request.inputs.items()})
        answers.append({name: values.numpy() for name, values in answer.items()})
    return answers


def write_answers(answers: list[Arrays], folder: Path) -> None:
    """Keep answers beside the model; text as UTF-8 bytes of fixed width, so that nothing is pickled."""
    flat = {
        f"{number}/{name}": values.astype("S") if values.dtype == object else values
        for number, answer in enumerate(answers)
        for name, values in answer.items()
    }
    np.savez_compressed(folder / ANSWERS, **flat)  # type: ignore[arg-type]


def verify(folder: str | Path) -> Verification:
    """Replay the warm-up requests of a version and compare with the answers that Keras gave.

    Args:
        folder: ``base/<version>``.

    Raises:
        DataError: no version, a damaged one, or another answer.
    """
    folder = Path(folder)
    requests = list(read_requests(folder))
    expected = _read_answers(folder, len(requests))
    try:
        functions = tf.saved_model.load(str(folder)).signatures
    except Exception as error:  # TensorFlow raises nearly anything on damaged files
        raise DataError(f"{folder}: the SavedModel cannot be loaded; export it again.") from error
    largest = 0.0
    for request, answer in zip(requests, expected, strict=True):
        if request.signature not in functions:
            raise DataError(f"{folder}: has no signature {request.signature}; export it again.")
        where = f"{folder}: signature {request.signature}, batch of {len(request.inputs['request_time'])}"
        try:
            found = functions[request.signature](**{name: tf.constant(x) for name, x in request.inputs.items()})
        except tf.errors.OpError as error:
            raise DataError(f"{where}: fails ({error.message.splitlines()[0]}); export the model again.") from error
        largest = max(largest, _compare({name: x.numpy() for name, x in found.items()}, answer, where))
    return Verification(len(requests), tuple(sorted({request.signature for request in requests})), largest)


def _read_answers(folder: Path, count: int) -> list[Arrays]:
    path = folder / ANSWERS
    if not path.is_file():
        raise DataError(f"{path}: is missing; export the model again.")
    answers: list[Arrays] = [{} for _ in range(count)]
    try:
        with np.load(path, allow_pickle=False) as stored:
            for key in stored.files:
                number, _, name = key.partition("/")
                answers[int(number)][name] = stored[key]
    except Exception as error:  # zip, numpy and index errors alike
        raise DataError(f"{path}: is damaged; export the model again.") from error
    return answers


def _compare(found: Arrays, expected: Arrays, where: str) -> float:
    """The largest difference of two numbers.

    Raises:
        DataError: another answer.
    """
    if set(found) != set(expected):
        raise DataError(f"{where}: answers {sorted(found)} instead of {sorted(expected)}; export the model again.")
    largest, places = 0.0, _places(found, expected)
    for name, wanted in expected.items():
        values = found[name].astype("S") if found[name].dtype == object else found[name]
        if values.shape != wanted.shape:
            raise DataError(f"{where}: {name} has shape {values.shape} instead of {wanted.shape}; export again.")
        if places is not None and wanted.shape == places.shape:
            values = np.take_along_axis(values, np.maximum(places, 0), axis=1)
            if wanted.dtype.kind != "S":
                values = np.where(places < 0, wanted, values)
        if wanted.dtype.kind == "S":
            share = float(np.mean(values != wanted)) if wanted.size else 0.0
            if share > TIES:
                raise DataError(f"{where}: {share:.0%} of {name} differ from what Keras answered; export again.")
            continue
        if wanted.dtype.kind in "iu" and values.dtype.kind in "iu" and wanted.ndim == 2:
            moved = np.abs(values - wanted).sum(axis=1) / 2  # counts: rounding may give one to the neighbour
            if (moved > np.maximum(1, TIES * wanted.sum(axis=1))).any():
                raise DataError(f"{where}: {name} differs by {moved.max():.0f} from what Keras answered; export again.")
            continue
        if not np.isfinite(values).all():
            raise DataError(f"{where}: {name} is not finite; train the model again.")
        difference = float(np.max(np.abs(values.astype(np.float64) - wanted), initial=0.0))
        if not np.allclose(values, wanted, rtol=RELATIVE, atol=ABSOLUTE):
            raise DataError(f"{where}: {name} differs by {difference:.2g} from what Keras answered; export again.")
        largest = max(largest, difference)
    return largest


def _places(found: Arrays, expected: Arrays) -> np.ndarray | None:
    """Where each expected item of a list is, int [batch, K], -1 if nowhere; None if there are no lists.

    Rounding may swap neighbours, and where several lists are merged, shift all that follow.
    """
    wanted, names = expected.get("item_id"), found.get("item_id")
    if wanted is None or names is None or wanted.ndim != 2 or names.shape != wanted.shape:
        return None
    rows = []
    for own, others in zip(names.astype("S"), wanted, strict=True):
        place = {name: number for number, name in reversed(list(enumerate(own)))}
        rows.append([place.get(name, -1) for name in others])
    return np.array(rows, np.int64).reshape(wanted.shape)
