"""Train the same SASRec in ours and in RecTools, turn by turn, then our other models; epochs, memory, accuracy."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pipelines.benchmark import rectools_worker
from pipelines.benchmark.components import components
from pipelines.benchmark.peer_environment import REQUIREMENTS, rectools_python
from pipelines.benchmark.training_process import TrainingProcess
from pipelines.config import RunConfig
from pipelines.environment import provenance
from pipelines.prepared import PreparedData
from pipelines.split import TRAIN, VALIDATION
from pipelines.validate import DataError

Say = Callable[[str], None]
PEER, OURS, PADDED = "RecTools SASRec", "SASRec", "SASRec padded"
USERS_PER_BATCH = 128
OTHERS = ("V0", "V3", "GRU", "BERT4Rec")
# RecTools' n_blocks=2, n_heads=2, n_factors=64, dropout_rate=0.2; its feed-forward layer is as wide as the state.
SASREC = {
    "variant": "SASRec",
    "item_blocks": 2,
    "heads": 2,
    "dim": 64,
    "expansion": 1,
    "dropout": 0.2,
    "attention_dropout": 0.2,
    "random_oov": 0.0,
}
TRAINING = {"learning_rate": 1e-3, "warmup_steps": 1, "schedule": "constant"}
PACKED_SHARE = 0.94  # of a packed row that holds events


def benchmark_train(
    prepared: PreparedData,
    epochs: int,
    other_epochs: int,
    peer: bool = True,
    seed: int = 0,
    xla: bool = True,
    say: Say = print,
) -> dict[str, Any]:
    """Time epochs over the same targets and compare the models they lead to.

    RecTools, ours packed and ours padded take turns epoch by epoch, with the same number of users in a batch; then each
    of our other models trains alone with its default configuration.  Medians over epochs, so the first epoch of ours,
    in which XLA compiles, does not decide (it is stated).

    Args:
        prepared: data split leave-one-out, each user with a validation event.
        epochs: of each of the three.
        other_epochs: of each of the others.
        peer: whether RecTools takes part.
        seed: of all models.
        xla: compile the steps of ours.
        say: receives a line per epoch.

    Returns:
        The record, JSON ready.

    Raises:
        DataError: the data have no validation events, RecTools cannot be installed, or a process failed.
    """
    _check(prepared)
    others = [name for name in OTHERS if prepared.spec.schema.intents or name not in ("V1", "V2", "V3")]
    per_batch = _targets(prepared) / -(-prepared.events["user_id"].nunique() // USERS_PER_BATCH)
    row_length = max(RunConfig().training.row_length, prepared.spec.schema.max_history)
    rows = max(1, round(per_batch / (row_length * PACKED_SHARE)))
    sasrec = RunConfig.model_validate(
        {"model": SASREC, "training": {**TRAINING, "seed": seed, "xla": xla, "rows_per_batch": rows}}
    )
    turns: dict[str, list[dict[str, Any]]] = {}
    validation: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="intentrec-benchmark-") as name, ExitStack() as stack:
        folder = Path(name)
        trio = [
            _ours(OURS, prepared, sasrec, epochs, folder),
            _ours(PADDED, prepared, _padded(sasrec, prepared), epochs, folder, together=False),
        ]
        if peer:
            trio.insert(0, _rectools(prepared, sasrec, epochs, folder, rectools_python(say)))
        for trainer in trio:
            stack.enter_context(trainer)
        for epoch in range(epochs):
            for trainer in trio:
                _say_turn(trainer.name, epoch, trainer.epoch(), say)
        for trainer in trio:
            turns[trainer.name], validation[trainer.name] = trainer.turns, trainer.validation()
            say(f"{trainer.name}: validation NDCG@10 {validation[trainer.name]['NDCG@10']:.4f}")
        stack.close()
        for variant in others:
            config = RunConfig.model_validate({"model": {"variant": variant}, "training": {"seed": seed, "xla": xla}})
            with _ours(variant, prepared, config, other_epochs, folder) as trainer:
                for epoch in range(other_epochs):
                    _say_turn(variant, epoch, trainer.epoch(), say)
                turns[variant], validation[variant] = trainer.turns, trainer.validation()
        with _ours(f"{OURS} again", prepared, sasrec, 1, folder) as trainer:
            repeated = trainer.epoch()["loss"] == turns[OURS][0]["loss"]
    say("measuring the parts of a step")
    return _record(prepared, sasrec, turns, validation, repeated, components(prepared.spec.items.size, sasrec))


def _record(
    prepared: PreparedData,
    config: RunConfig,
    turns: dict[str, list[dict[str, Any]]],
    validation: dict[str, dict[str, Any]],
    repeated: bool,
    parts: dict[str, Any],
) -> dict[str, Any]:
    targets = _targets(prepared)
    median = {name: statistics.median(turn["seconds"] for turn in rounds) for name, rounds in turns.items()}
    ratios = {}
    if PEER in median:
        names = {"sasrec": OURS, "v3": "V3"}
        ratios = {
            f"ratio_{key}_vs_rectools": median[PEER] / median[name] for key, name in names.items() if name in median
        }
    return {
        "benchmark": "train",
        "dataset": prepared.spec.schema.name,
        "fingerprint": prepared.fingerprint,
        **{name: round(value, 2) for name, value in ratios.items()},
        "targets_an_epoch": targets,
        "targets_per_second": {name: round(targets / seconds) for name, seconds in median.items()},
        "seconds_an_epoch": {name: round(seconds, 2) for name, seconds in median.items()},
        "peak_mb": {name: max(turn["peak_mb"] for turn in rounds) for name, rounds in turns.items()},
        "epochs": {name: [round(turn["seconds"], 2) for turn in rounds] for name, rounds in turns.items()},
        "losses": {name: [round(turn["loss"], 4) for turn in rounds] for name, rounds in turns.items()},
        "steps_an_epoch": {name: rounds[0]["steps"] for name, rounds in turns.items()},
        "validation": {
            name: {key: round(values[key], 4) for key in ("NDCG@10", "HR@10", "seconds", "targets")}
            for name, values in validation.items()
        },
        "first_loss_repeats_bit_for_bit": repeated,
        "parts_of_a_step": parts,
        "sasrec": config.model_dump(mode="json"),
        "note": "the SASRecs have the same targets, loss, width, depth, dropout, users in a batch and learning rate; "
        "ours has pre-norm blocks, GELU, an output projection and bias, and clips gradients; "
        "BERT4Rec learns from the share of the targets that it hides",
        "peer": list(REQUIREMENTS) if PEER in turns else [],
        **provenance(),
    }


def _check(prepared: PreparedData) -> None:
    """Both sides must learn from the same events and be asked the same questions."""
    if (
        prepared.manifest["request"]["split"]["kind"] != "leave_one_out"
        or not (prepared.events["split"] == VALIDATION).any()
    ):
        raise DataError(
            f"{prepared.folder}: is not split leave-one-out with validation events; prepare it with "
            "--split leave-one-out --validation-users 1."
        )


def _targets(prepared: PreparedData) -> int:
    """Next items an epoch asks for: of each user's training events the newest L, but for the first."""
    training = prepared.events[prepared.events["split"] == TRAIN]
    sizes = training.groupby("user_id", sort=False).size() - 1
    return int(sizes.clip(lower=0, upper=prepared.spec.schema.max_history).sum())


def _padded(config: RunConfig, prepared: PreparedData) -> RunConfig:
    shape = {"rows_per_batch": USERS_PER_BATCH, "row_length": prepared.spec.schema.max_history}
    return config.model_copy(update={"training": config.training.model_copy(update=shape)})


def _ours(
    name: str, prepared: PreparedData, config: RunConfig, epochs: int, folder: Path, together: bool = True
) -> TrainingProcess:
    options = {"data": str(prepared.folder.resolve()), "config": config.model_dump(mode="json")}
    work = folder / name.replace(" ", "-")
    work.mkdir()
    (work / "options.json").write_text(json.dumps({**options, "epochs": epochs, "together": together}))
    command = [sys.executable, "-m", "pipelines.benchmark.intentrec_worker", str(work)]
    return TrainingProcess(name, command, work / "log.txt")


def _rectools(prepared: PreparedData, config: RunConfig, epochs: int, folder: Path, python: Path) -> TrainingProcess:
    work = folder / "rectools"
    work.mkdir()
    for part, name in ((TRAIN, "train"), (VALIDATION, "held_out")):
        chosen = prepared.events[prepared.events["split"] == part]
        chosen[["user_id", "item_id"]].to_csv(work / f"{name}.csv", index=False)
    options = {
        "seed": config.training.seed,
        "epochs": epochs,
        "blocks": config.model.item_blocks,
        "heads": config.model.heads,
        "dim": config.model.dim,
        "dropout": config.model.dropout,
        "history": prepared.spec.schema.max_history,
        "batch": USERS_PER_BATCH,
        "learning_rate": config.training.learning_rate,
    }
    (work / "options.json").write_text(json.dumps(options))
    return TrainingProcess(PEER, [str(python), str(Path(rectools_worker.__file__)), str(work)], work / "log.txt")


def _say_turn(name: str, epoch: int, turn: dict[str, Any], say: Say) -> None:
    say(f"{name}: epoch {epoch + 1} in {turn['seconds']:.1f} s, loss {turn['loss']:.3f}, peak {turn['peak_mb']:,} MB")
