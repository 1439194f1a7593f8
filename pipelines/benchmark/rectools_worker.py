"""Trains RecTools' SASRec epoch by epoch on request; runs in an environment of its own that holds no intentrec.

``python rectools_worker.py FOLDER`` reads ``options.json``, ``train.csv`` and ``held_out.csv`` there and speaks the
protocol of :mod:`pipelines.benchmark.training_process` on standard input and output.
"""

from __future__ import annotations

import json
import math
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd


def main(folder: Path) -> None:
    """Train and answer until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever libraries print must not mix with the answers
    import pytorch_lightning as lightning
    from rectools import Columns
    from rectools.dataset import Dataset
    from rectools.models import SASRecModel

    class Turns(lightning.Callback):
        """Waits before every epoch for its turn, and says afterwards how it went."""

        def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
            if not sys.stdin.readline():
                sys.exit(0)
            self.losses: list[float] = []
            self.start = time.perf_counter()

        def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            self.losses.append(float(outputs["loss"].detach()))

        def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
            seconds = time.perf_counter() - self.start
            loss = sum(self.losses) / len(self.losses)
            tell({"seconds": seconds, "loss": loss, "steps": len(self.losses), "peak_mb": peak_mb()})

    def tell(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")

    options = json.loads((folder / "options.json").read_text())
    train = pd.read_csv(folder / "train.csv", dtype=str)
    # One second per row keeps the order of equal times, which would otherwise be the sorting's choice.
    train[Columns.Datetime] = pd.Timestamp("2000-01-01") + pd.to_timedelta(range(len(train)), unit="s")
    train[Columns.Weight] = 1.0
    dataset = Dataset.construct(train)
    lightning.seed_everything(options["seed"], workers=True)

    def trainer() -> Any:
        return lightning.Trainer(
            max_epochs=options["epochs"],
            min_epochs=options["epochs"],
            callbacks=[Turns()],
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            logger=False,
            accelerator="cpu",
            devices=1,
        )

    model = SASRecModel(
        n_blocks=options["blocks"],
        n_heads=options["heads"],
        n_factors=options["dim"],
        dropout_rate=options["dropout"],
        session_max_len=options["history"],
        batch_size=options["batch"],
        lr=options["learning_rate"],
        loss="softmax",
        epochs=options["epochs"],
        get_trainer_func=trainer,
        recommend_torch_device="cpu",
    )
    tell({"ready": True, "peak_mb": peak_mb()})
    model.fit(dataset)
    sys.stdin.readline()
    held_out = pd.read_csv(folder / "held_out.csv", dtype=str)
    start = time.perf_counter()
    users = held_out["user_id"].to_numpy()
    lists = model.recommend(users=users, dataset=dataset, k=10, filter_viewed=True)
    seconds = time.perf_counter() - start
    found = lists.merge(held_out, on=["user_id", "item_id"])
    tell(
        {
            "seconds": seconds,
            "HR@10": len(found) / len(held_out),
            "NDCG@10": sum(1 / math.log2(1 + rank) for rank in found["rank"]) / len(held_out),
            "targets": len(held_out),
            "peak_mb": peak_mb(),
        }
    )


def peak_mb() -> int:
    """Most memory this process has held so far, MB."""
    status = Path("/proc/self/status")  # Linux counts what the parent held into ru_maxrss
    if status.is_file():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**20


if __name__ == "__main__":
    main(Path(sys.argv[1]))
