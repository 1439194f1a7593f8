"""Fitting: it learns, it resumes, it refuses what does not belong together."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pipelines import input_fn
from pipelines.callbacks import ResumableEarlyStopping, read_history
from pipelines.config import RunConfig, TrainingConfig
from pipelines.evaluate import evaluate
from pipelines.main import main
from pipelines.prepare import PrepareConfig, prepare
from pipelines.prepared import PreparedData
from pipelines.progress_bar import BatchProgress
from pipelines.run_folder import RunFolder
from pipelines.split import VALIDATION
from pipelines.train import optimizer_of, train
from pipelines.validate import DataError

Configure = Callable[..., RunConfig]


def quiet(line: str) -> None:
    pass


def flat(config: RunConfig) -> RunConfig:
    """The same without intents, which is quicker to trace."""
    return config.model_copy(update={"model": config.model.model_copy(update={"variant": "V0"})})


def test_it_learns_and_the_history_is_complete(trained: RunFolder):
    history = read_history(trained.history)
    assert [record["epoch"] for record in history] == [1, 2, 3, 4]
    assert history[-1]["item_loss"] < history[0]["item_loss"]
    assert history[-1]["action_loss"] < history[0]["action_loss"]
    assert {"loss", "item_loss", "action_loss", "genre_loss", "val_ndcg@10", "val_hr@10"} <= set(history[0])


def test_the_history_holds_what_evaluate_finds(trained: RunFolder):
    """The best weights score, on the same validation subset, what the history says of the best epoch."""
    model, prepared, config = trained.load_model()
    best = max(read_history(trained.history), key=lambda record: record["val_ndcg@10"])
    result = evaluate(model, prepared, VALIDATION, max_targets=config.training.validation_targets)
    assert result.metrics["intentrec"]["NDCG@10"] == pytest.approx(best["val_ndcg@10"], abs=1e-6)
    assert result.metrics["intentrec"]["HR@10"] == pytest.approx(best["val_hr@10"], abs=1e-6)


def test_a_second_call_does_nothing(trained: RunFolder, prepared: PreparedData, make_config: Configure):
    files = [trained.weights, trained.history]
    before, lines = [file.stat().st_mtime_ns for file in files], []
    model = train(prepared, make_config(), trained, lines.append)
    assert [file.stat().st_mtime_ns for file in files] == before
    assert len(lines) == 1
    assert "already trained" in lines[0]
    for ours, saved in zip(model.get_weights(), trained.load_model()[0].get_weights(), strict=True):
        np.testing.assert_array_equal(ours, saved)


def test_another_run_in_the_same_folder_is_refused(
    trained: RunFolder, prepared: PreparedData, prepared_last: PreparedData, make_config: Configure, tmp_path: Path
):
    cases = ((prepared, make_config(seed=1), r"\(training.seed 0 -> 1\)"), (prepared_last, make_config(), r"\(data\)"))
    for data, config, changed in cases:
        with pytest.raises(DataError, match=f"holds a run with other settings {changed}; name another"):
            train(data, config, trained, quiet)
    (tmp_path / "letter.txt").touch()
    with pytest.raises(DataError, match="is not empty and holds no run"):
        train(prepared, make_config(), RunFolder(tmp_path), quiet)


def test_a_damaged_run_is_one_sentence(
    trained: RunFolder, prepared: PreparedData, make_config: Configure, tmp_path: Path
):
    shutil.copytree(trained.folder, tmp_path / "run")
    run = RunFolder(tmp_path / "run")
    run.weights.write_bytes(run.weights.read_bytes()[:1000])
    with pytest.raises(DataError, match="is damaged or of another model; delete the run and train again"):
        run.load_model()
    (run.folder / "run.json").write_text("{", encoding="utf-8")
    for ask in (run.read, run.load_model, lambda: run.begin(prepared, make_config())):
        with pytest.raises(DataError, match=r"run\.json: cannot be read; delete the run folder"):
            ask()


def test_damaged_records_are_one_sentence(prepared: PreparedData, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    shutil.copytree(prepared.folder, tmp_path / "data")
    part = next((tmp_path / "data" / "sequences").iterdir())
    part.write_bytes(part.read_bytes()[:-7])
    assert main(["train", "--data", str(tmp_path / "data"), "--run", str(tmp_path / "run")]) == 2
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert "intentrec: the prepared data are damaged; delete their folder and run 'intentrec prepare' again." in err


def test_ctrl_c_says_how_to_go_on(
    prepared: PreparedData, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """The bar is taken away (the cursor comes back), the exit code is the shell's, a sentence tells what to do."""
    stopped = []
    monkeypatch.setattr(BatchProgress, "stop", lambda self: stopped.append(True))

    def interrupt(self: BatchProgress, batch: int, logs: object = None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(BatchProgress, "on_train_batch_end", interrupt)
    words = ["--set", "model.dim=8", "--set", "training.xla=false"]
    assert main(["train", "--data", str(prepared.folder), "--run", str(tmp_path / "run"), *words]) == 130
    assert stopped
    assert "the same command goes on" in capsys.readouterr().err


def test_a_patience_that_ends_before_the_next_validation_is_told(
    prepared: PreparedData, make_config: Configure, tmp_path: Path
):
    told: dict[int, str] = {}
    for patience in (2, 3):
        lines: list[str] = []
        run = RunFolder(tmp_path / f"{patience}")
        train(prepared, flat(make_config(epochs=3, validate_every=3, patience=patience)), run, lines.append)
        told[patience] = " ".join(lines)
    assert "training.patience 2 ends before the next validation, which comes every 3 epochs" in told[2]
    assert "training.patience" not in told[3]


def test_the_warm_up_is_over_before_a_tenth_of_a_short_training():
    training = TrainingConfig(learning_rate=0.5, warmup_steps=100, epochs=10)
    for steps, warm in ((1, 1), (20, 20), (1_000, 100)):
        schedule = tf.keras.optimizers.schedules.deserialize(
            optimizer_of(training, steps).get_config()["learning_rate"]
        )
        assert float(schedule(warm)) == pytest.approx(0.5)
        assert float(schedule(0)) == pytest.approx(0.5 / warm)


def test_data_prepared_anew_are_noticed(
    make_shop: Callable[..., PrepareConfig], make_config: Configure, tmp_path: Path
):
    config = make_shop(tmp_path / "in")
    run = RunFolder(tmp_path / "run")
    run.begin(prepare(config, tmp_path / "out", quiet), make_config())
    run.read()
    with pytest.raises(DataError, match="has no finished epoch yet"):
        run.load_model()
    prepare(config.model_copy(update={"min_interactions": 2}), tmp_path / "out", quiet)
    with pytest.raises(DataError, match="has been prepared anew since"):
        run.read()


class PowerFailureError(Exception):
    """Stands for whatever ends a process."""


def test_an_interrupted_run_goes_on(prepared: PreparedData, make_config: Configure, tmp_path: Path):
    """Stopped after two of four epochs: the others follow, and the optimizer's steps are counted through."""
    run, config, lines = RunFolder(tmp_path / "run"), flat(make_config()), []

    def stop_after_two(line: str) -> None:
        lines.append(line)
        if line.startswith("epoch   3/4"):
            raise PowerFailureError

    with pytest.raises(PowerFailureError):
        train(prepared, config, run, stop_after_two)
    assert len(read_history(run.history)) == 3  # the third is in the log, not in the backup: it runs again
    lines.clear()
    model = train(prepared, config, run, lines.append)
    history = read_history(run.history)
    assert any("resuming after epoch" in line for line in lines)
    assert [line[:11] for line in lines if line.startswith("epoch")] == ["epoch   3/4", "epoch   4/4"]
    assert [record["epoch"] for record in history] == [1, 2, 3, 4]
    whole = RunFolder(tmp_path / "whole")
    expected = train(prepared, config, whole, quiet)
    for found, other in zip(history, read_history(whole.history), strict=True):
        assert {**found, "seconds": 0} == {**other, "seconds": 0}
    for weight, other in zip(model.weights, expected.weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), other.numpy(), err_msg=weight.name)


KILLED = """
import os, signal, sys
from pathlib import Path
import tensorflow as tf
from pipelines.config import RunConfig, TrainingConfig
from pipelines.prepared import PreparedData
from pipelines.progress_bar import BatchProgress
from pipelines.run_folder import RunFolder
from pipelines.train import optimizer_of, train
class Die(tf.keras.callbacks.BackupAndRestore):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        super().on_epoch_begin(epoch, logs)
tf.keras.callbacks.BackupAndRestore = Die
train(PreparedData(sys.argv[1]), RunConfig.model_validate_json(sys.argv[2]), RunFolder(sys.argv[3]))
"""


def test_kill_9_between_epochs(prepared: PreparedData, make_config: Configure, tmp_path: Path):
    run, config, lines = RunFolder(tmp_path / "run"), flat(make_config(epochs=3)), []
    command = [sys.executable, "-c", KILLED, str(prepared.folder), config.model_dump_json(), str(run.folder)]
    done = subprocess.run(command, capture_output=True, timeout=200, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"})
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2_000:]
    assert len(read_history(run.history)) == 2
    train(prepared, config, run, lines.append)
    assert [line[:11] for line in lines if line.startswith("epoch")] == ["epoch   3/3"]
    assert len(read_history(run.history)) == 3


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_kill_9_before_anything_was_written(prepared: PreparedData, make_config: Configure, tmp_path: Path):
    """The same command goes on, and does not take the leftover for somebody's file."""
    left = tmp_path / "run" / f".run.json-{dead_process()}-abc.tmp"
    left.parent.mkdir()
    left.write_text("{", encoding="utf-8")
    RunFolder(tmp_path / "run").begin(prepared, make_config())
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["run.json"]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    with pytest.raises(DataError, match="is not empty and holds no run"):
        RunFolder(tmp_path / "other").begin(prepared, make_config())


def test_kill_9_after_the_last_epoch(trained: RunFolder, make_config: Configure, tmp_path: Path):
    """Before the backup was removed: the same command finds the run finished, and removes it."""
    run = RunFolder(tmp_path / "run")
    shutil.copytree(trained.folder, run.folder)
    before = sorted(path.name for path in run.folder.rglob("*"))
    (run.backup / "chief").mkdir(parents=True)
    for name in ("checkpoint", "ckpt-4.index", "ckpt-4.data-00000-of-00001"):
        (run.backup / "chief" / name).touch()
    lines: list[str] = []
    train(trained.read()[0], make_config(), run, lines.append)
    assert any("already trained" in line for line in lines)
    assert sorted(path.name for path in run.folder.rglob("*")) == before


def test_patience_counts_on_after_an_interruption(tmp_path: Path):
    """Best at epoch 1, then worse: with patience 3 the fit stops at epoch 4, however often it was interrupted."""

    class Model:
        stop_training = False

        def save_weights(self, path: Path) -> None:
            path.write_text("weights", encoding="utf-8")

    values, stopped = [0.2, 0.5, 0.4, 0.3, 0.2, 0.1], []
    for epoch, value in enumerate(values):
        past = [{"val_ndcg@10": earlier} for earlier in values[:epoch]]
        callback, model = ResumableEarlyStopping(tmp_path / "best.h5", patience=3, past=past), Model()
        callback.set_model(model)
        callback.on_epoch_end(epoch, {"val_ndcg@10": value})
        assert callback.stopped == model.stop_training
        stopped.append(model.stop_training)
        if model.stop_training:
            break
        assert (tmp_path / "best.h5").exists() == (epoch < 2)  # kept when it was better than all before
        (tmp_path / "best.h5").unlink(missing_ok=True)
    assert stopped == [False, False, False, False, True]


def test_epochs_of_different_numbers_of_batches_do_not_end_the_fit(
    prepared: PreparedData, make_config: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Large data are packed in groups, whose rows depend on the order; Keras stopped at the first shorter epoch."""
    monkeypatch.setattr(input_fn, "USERS_PER_GROUP", 4)
    for seed in range(30):
        batches = input_fn.training_batches(prepared, 1, 24, seed, "all")
        counts = [sum(1 for _ in batches) for _ in range(3)]
        if counts[1] < counts[0]:
            break
    else:
        pytest.fail("no seed gives a second epoch with fewer batches; choose other sizes")
    # Counting the steps of an epoch is the first pass over the batches, so the fit's first epoch is the second one.
    config = make_config(epochs=5, rows_per_batch=1, row_length=24, history="all", seed=seed, patience=5)
    run = RunFolder(tmp_path / "run")
    train(prepared, flat(config), run, quiet)
    assert len(read_history(run.history)) == 5


def test_compiled(prepared: PreparedData, make_config: Configure, tmp_path: Path):
    run = RunFolder(tmp_path / "run")
    train(prepared, flat(make_config(xla=True, epochs=2)), run, quiet)
    losses = [record["loss"] for record in read_history(run.history)]
    assert losses[1] < losses[0]


def test_a_loss_that_is_no_number_ends_the_training(prepared: PreparedData, make_config: Configure, tmp_path: Path):
    run = RunFolder(tmp_path / "run")
    with pytest.raises(DataError, match=r"^the loss of epoch [1-4] is .*, so training has failed; lower training"):
        train(prepared, flat(make_config(learning_rate=1e25)), run, quiet)
    assert not run.weights.is_file()


def test_data_or_configuration_that_allow_no_training(
    make_shop: Callable[..., PrepareConfig], make_config: Configure, tmp_path: Path
):
    config = make_shop(tmp_path / "in", {"intents": []})
    lines = (tmp_path / "in" / "events.csv").read_text(encoding="utf-8").splitlines()
    data = prepare(config, tmp_path / "plain", quiet)
    with pytest.raises(DataError, match="variant V2 predicts intents, but schema 'shop' declares none"):
        train(data, make_config(), RunFolder(tmp_path / "run"), quiet)
    assert not (tmp_path / "run").exists()
    small = flat(make_config())
    rows = [line.split(",") for line in lines]
    singles = [",".join([f"w{i}", *row[1:]]) for i, row in enumerate(rows[1:])]
    singles += [",".join(["w0", *row[1:]]) for row in sorted(rows[1:], key=lambda row: row[2])[:5]]
    (tmp_path / "in" / "events.csv").write_text("\n".join([lines[0], *singles]), encoding="utf-8")
    with pytest.raises(DataError, match="the validation part has no event with an earlier one"):
        train(prepare(config, tmp_path / "strangers", quiet), small, RunFolder(tmp_path / "run2"), quiet)


def test_weight_decay_pulls_matrices_and_tables_towards_zero_and_nothing_else():
    """Without any gradient only the decay moves a weight."""
    names = ("kernel", "table", "bias", "gamma", "beta", "slopes")
    weights = [tf.Variable(tf.ones([2]), name=name) for name in names]
    optimizer = optimizer_of(TrainingConfig(weight_decay=0.5, schedule="constant", warmup_steps=1), steps=10)
    optimizer.apply_gradients([(tf.zeros([2]), weight) for weight in weights])
    moved = {name for name, weight in zip(names, weights, strict=True) if float(weight[0]) < 1}
    assert moved == {"kernel", "table"}
