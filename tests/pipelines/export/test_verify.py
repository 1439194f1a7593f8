"""An exported version is asked again, and another answer is noticed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from pipelines.export import verify
from pipelines.export import version as version_module
from pipelines.export.batching import BATCHING
from pipelines.export.verify import ANSWERS, _compare
from pipelines.export.warmup import BATCH_SIZES, WARMUP, read_requests
from pipelines.main import main
from pipelines.run_folder import RunFolder
from pipelines.validate import DataError


@pytest.fixture
def copy(exported: Path, tmp_path: Path) -> Path:
    """A version to be damaged."""
    return Path(shutil.copytree(exported, tmp_path / exported.name))


def test_every_signature_and_batch_size_is_asked(exported: Path):
    requests = list(read_requests(exported))
    signatures = ("embed", "intent", "item", "rank", "serving_default")
    asked = [(request.signature, len(request.inputs["request_time"])) for request in requests]
    assert asked == [(name, size) for name in signatures for size in BATCH_SIZES]
    batch = requests[-1].inputs["item_id"]
    assert (batch[0] != b"").all()
    assert (batch[1] == b"").all()
    found = verify(exported)
    assert (found.requests, found.signatures) == (len(requests), signatures)
    assert found.largest_difference < 1e-4


def test_a_server_may_make_the_batches_that_it_was_warmed_up_with(exported: Path):
    lines = (exported / BATCHING).read_text(encoding="utf-8").splitlines()
    sizes = [int(line.split()[1]) for line in lines if line.startswith("allowed_batch_sizes")]
    assert tuple(sizes) == BATCH_SIZES
    assert f"max_batch_size {{ value: {sizes[-1]} }}" in lines
    assert "pad_variable_length_inputs: true" in lines


def test_the_command(exported: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["verify", str(exported)]) == 0
    assert "30 requests to embed, intent, item, rank, serving_default answered as Keras did" in capsys.readouterr().out
    assert main(["verify", str(exported.parent)]) == 2
    assert "tf_serving_warmup_requests: is missing; export the model again." in capsys.readouterr().err


def change(folder: Path, pick: Callable[[str], bool], new: Callable[[np.ndarray], np.ndarray]) -> None:
    """Change the kept answers that ``pick`` names."""
    with np.load(folder / ANSWERS) as stored:
        answers = {name: new(stored[name]) if pick(name) else stored[name] for name in stored.files}
    np.savez_compressed(folder / ANSWERS, **answers)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "new", "message"),
    [
        ("0/item_state", lambda x: x + 0.01, r"signature embed, batch of 1: item_state differs by 0\.01"),
        ("12/item_id", lambda x: x[:, ::-1], r"signature item, batch of 1: score differs by "),
        ("12/item_id", lambda x: np.char.add(b"no ", x), r"signature item, batch of 1: 100% of item_id differ"),
        ("12/score", lambda x: x[:, :2], r"score has shape \(1, 5\) instead of \(1, 2\)"),
    ],
)
def test_another_answer_is_refused(copy: Path, name: str, new: Callable, message: str):
    change(copy, lambda key: key == name, new)
    with pytest.raises(DataError, match=message):
        verify(copy)


def test_lists_whose_neighbours_changed_places_are_the_same(copy: Path):
    """Rounding may tip which of two nearly equal items comes first, and where lists are merged, what follows."""
    change(copy, lambda key: key in ("12/item_id", "12/score"), lambda x: x[:, [1, 0, 2, 4, 3]])
    verify(copy)


def test_a_count_may_go_to_the_neighbour_where_rounding_decides() -> None:
    counts = {"budget": np.array([[200, 150, 150]], np.int32)}
    one_off = {"budget": np.array([[199, 151, 150]], np.int32)}
    assert _compare(one_off, counts, "here") == 0
    with pytest.raises(DataError, match="here: budget differs by 50 from what Keras answered"):
        _compare({"budget": np.array([[150, 200, 150]], np.int32)}, counts, "here")


def test_damage_is_one_sentence(copy: Path):
    (copy / "saved_model.pb").write_bytes(b"\xff" * 9)
    with pytest.raises(DataError, match="cannot be loaded; export it again"):
        verify(copy)
    (copy / ANSWERS).write_bytes(b"PK")
    with pytest.raises(DataError, match=r"verification\.npz: is damaged"):
        verify(copy)
    (copy / ANSWERS).unlink()
    with pytest.raises(DataError, match=r"verification\.npz: is missing"):
        verify(copy)
    (copy / WARMUP).write_bytes((copy / WARMUP).read_bytes()[:-3])
    with pytest.raises(DataError, match="warmup_requests: is damaged"):
        verify(copy)


def test_a_model_that_is_not_finite_is_not_exported(
    trained: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    model, prepared, config = trained.load_next_item_model()
    for weights in model.trainable_weights:
        weights.assign(np.full(weights.shape, np.nan))
    monkeypatch.setattr(RunFolder, "load_next_item_model", lambda _: (model, prepared, config))
    with pytest.raises(DataError, match="is not finite; train the model again"):
        version_module.export(trained, tmp_path / "model")
    assert list((tmp_path / "model").iterdir()) == []


def test_a_request_is_what_a_server_expects(exported: Path):
    record = next(iter(tf.data.TFRecordDataset(str(exported / WARMUP)).as_numpy_iterator()))
    log = prediction_log_pb2.PredictionLog.FromString(record)
    assert log.WhichOneof("log_type") == "predict_log"
    assert log.predict_log.request.model_spec.name == exported.parent.name
