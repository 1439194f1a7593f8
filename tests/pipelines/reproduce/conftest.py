"""A few hundred check-ins, configurations that train in seconds, runs made of nothing, and one real run."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml

from pipelines.config import RunConfig
from pipelines.reproduce.compact import gains, pack_numbers, top_ranks
from pipelines.reproduce.protocols import Setting
from pipelines.reproduce.runs import Places, prepared_data, run_once
from pipelines.reproduce.systems import System

TINY = {
    "model": {"dim": 8, "intent_dim": 4, "feature_dim": 4, "heads": 1, "item_blocks": 1, "dropout": 0.0},
    "training": {"epochs": 2, "learning_rate": 0.03, "warmup_steps": 1, "rows_per_batch": 8, "xla": False},
}
METRICS = ("HR@1", "HR@5", "HR@10", "HR@20", "NDCG@5", "NDCG@10", "NDCG@20")
SETTING = "foursquare-nyc-T"


def quiet(line: str) -> None:
    pass


def make_record(
    system: str,
    ranks: list[int] | np.ndarray,
    users: list[int] | None = None,
    seed: int = 0,
    hits: dict[str, list[int]] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """The record of a run that never was.

    Args:
        system: a row's name.
        ranks: of the targets, 1-based.
        users: targets per user; one each without it.
        seed: of the run.
        hits: intent -> 1, 0 or -1 of every target.
        changes: replace fields.
    """
    best = top_ranks(np.asarray(ranks), 20)
    variant = system.replace(",", " ").split()[0]
    config = RunConfig.model_validate({"model": {"variant": variant}, "training": {"seed": seed}})
    accuracy = {name: [hit for hit in values if hit >= 0] for name, values in (hits or {}).items()}
    return {
        "system": system,
        "setting": SETTING,
        "dataset": "foursquare-nyc",
        "fingerprint": "f" * 64,
        "part": "test",
        "protocol": {"id": "T", "filter_seen": False, "history": 200, "split": {"kind": "time"}},
        "request_time": True,
        "model": variant,
        "config": config.model_dump(mode="json"),
        "config_file": "pipelines/configs/default.yaml",
        "seed": seed,
        "targets": len(best),
        "metrics": {name: float(gains(best, name).mean()) for name in METRICS} | {"MRR": 0.1},
        "intents": {n: {"accuracy": float(np.mean(v)), "count": len(v)} for n, v in accuracy.items() if v},
        "validation": {"NDCG@10": 0.25, "HR@10": 0.5, "epoch": 3},
        "epochs": 4,
        "seconds": 12.3,
        "data_caveats": ["Check-ins of nobody."],
        "command": "intentrec reproduce table1",
        "commit": "0123456789ab",
        "date": "2026-01-02T03:04:05Z",
        "ranks": pack_numbers(best),
        "intent_hits": {name: pack_numbers(np.array(values)) for name, values in (hits or {}).items()},
        "targets_per_user": pack_numbers(np.array(users if users is not None else [1] * len(best))),
        **changes,
    }


def write_record(results: Path, record: dict[str, Any]) -> Path:
    """Keep a record where ``reproduce`` keeps it, below ``results``."""
    slug = System(record["system"], {}).slug
    path = results / "runs" / record["setting"] / f"{slug}-seed{record['seed']}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record), encoding="utf-8")
    return path


@pytest.fixture(name="make_record", scope="session")
def _make_record() -> Callable[..., dict[str, Any]]:
    """:func:`make_record`."""
    return make_record


@pytest.fixture(name="write_record", scope="session")
def _write_record() -> Callable[..., Path]:
    """:func:`write_record`."""
    return write_record


@pytest.fixture(scope="session")
def checkins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw data in Foursquare's form: 30 people, 48 places in two cells (an area needs 20)."""
    folder, rng = tmp_path_factory.mktemp("checkins"), random.Random(1)
    places = [f"{i},{40.71 + 0.02 * (i % 2):.4f},-74.0100" for i in range(48)]
    rows = []
    for user in range(30):
        minute, usual = rng.randrange(20_000), rng.sample(range(48), 4)
        for _ in range(rng.randint(6, 24)):
            rows.append(f"{user},{rng.choice(usual) if rng.random() < 0.8 else rng.randrange(48)},{minute}")
            minute += rng.choice([10, 60, 600, 3_000])
    (folder / "places.csv").write_text("\n".join(["place_id,latitude,longitude", *places]) + "\n", encoding="utf-8")
    (folder / "checkins.csv").write_text("\n".join(["user_id,place_id,minute", *rows]) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def setting(checkins: Path) -> Setting:
    """The check-ins under their usual protocol."""
    return Setting.of("foursquare-nyc", raw=str(checkins))


@dataclass(frozen=True)
class RealRun:
    """A run that was truly trained, and what it left."""

    setting: Setting
    system: System
    places: Places
    record: dict[str, Any]


@pytest.fixture(scope="session")
def real(setting: Setting, tmp_path_factory: pytest.TempPathFactory) -> RealRun:
    """The smallest that predicts intents, trained for two epochs."""
    folder = tmp_path_factory.mktemp("real")
    places, system = (
        Places(folder / "work", folder / "results" / "runs"),
        System("Transformer", {"variant": "Transformer"}),
    )
    with pytest.MonkeyPatch.context() as patch:
        use_configs(folder / "configs", patch)
        return RealRun(setting, system, places, run_once(setting, system, 0, places, quiet))


@pytest.fixture
def configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of built-in configurations that holds a tiny ``default`` only."""
    return use_configs(tmp_path / "configs", monkeypatch)


def use_configs(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """Let a folder take the place of the built-in configurations."""
    folder.mkdir(parents=True)
    (folder / "default.yaml").write_text(yaml.safe_dump(TINY), encoding="utf-8")
    candidates = {"retrieval": {"dim": 8, "hidden_dim": 8, "count": 3}, "training": TINY["training"]}
    (folder / "retrieval.yaml").write_text(yaml.safe_dump(candidates), encoding="utf-8")
    patch.setattr("pipelines.config.CONFIGS", folder)
    patch.setattr("pipelines.reproduce.runs.CONFIGS", folder)
    return folder


@pytest.fixture(scope="session")
def data(setting: Setting, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The prepared check-ins."""
    return prepared_data(setting, Places(tmp_path_factory.mktemp("data"), Path()), quiet).folder


@pytest.fixture
def places(data: Path, setting: Setting, tmp_path: Path, configs: Path) -> Places:
    """New folders with the prepared data in place, and tiny configurations."""
    made = Places(tmp_path / "work", tmp_path / "results" / "runs")
    shutil.copytree(data, made.data(setting))
    return made


@dataclass
class Laboratory:
    """Training and evaluation that take no time.

    Attributes:
        trained: names of the run folders that were trained, in order.
        interrupt_at: name of the folder whose training is interrupted.
    """

    trained: list[str] = field(default_factory=list)
    interrupt_at: str | None = None

    def train(self, prepared: Any, config: RunConfig, run: Any, say: Any, callbacks: Any = ()) -> Any:
        run.begin(prepared, config)
        if run.folder.name == self.interrupt_at:
            raise KeyboardInterrupt
        self.trained.append(run.folder.name)
        scores = [{"val_ndcg@10": 0.2 / i, "val_hr@10": 0.4 / i, "val_hr@100": 0.8 / i} for i in (1, 2)]
        records = [{"epoch": i, "seconds": 1.0, **values} for i, values in enumerate(scores, 1)]
        run.history.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
        return SimpleNamespace(count_params=lambda: 10, config=config)

    def evaluate(self, model: Any, prepared: Any, part: int) -> Any:
        from pipelines.evaluate import Evaluation, ranking_metrics

        events = prepared.events
        asked = events[(events["split"] == part) & (events.groupby("user_id").cumcount() > 0)]
        ranks = np.random.default_rng(model.config.training.seed).integers(1, 25, len(asked))
        return Evaluation(
            {"intentrec": ranking_metrics(ranks)},
            {},
            {"intentrec": ranks},
            {},
            np.flatnonzero(events.index.isin(asked.index)),
            asked.groupby("user_id", sort=False).size().to_numpy(),
            *(len(asked), 0, 0, 0.5),
        )


@pytest.fixture
def laboratory(monkeypatch: pytest.MonkeyPatch) -> Laboratory:
    """In place of training and evaluation."""
    made = Laboratory()
    monkeypatch.setattr("pipelines.train.train", made.train)
    monkeypatch.setattr("pipelines.evaluate.evaluate", made.evaluate)
    return made
