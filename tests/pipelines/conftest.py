"""A tiny shop with every kind of feature and intent: its tables, the prepared data, a trained run, an export."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.config import RunConfig
from pipelines.prepare import PrepareConfig, prepare
from pipelines.prepared import PreparedData
from pipelines.run_folder import RunFolder

START = 1_700_000_000
ITEMS = 20
SCHEMA: dict[str, Any] = {
    "name": "shop",
    "user_id": "who",
    "item_id": "what",
    "timestamp": "when",
    "event_features": [
        {"name": "action", "kind": "categorical"},
        {"name": "seconds", "kind": "numeric"},
        {"name": "places", "kind": "multi_label"},
    ],
    "item_features": [
        {"name": "genres", "kind": "multi_label"},
        {"name": "kind", "kind": "categorical"},
        {"name": "price", "kind": "numeric"},
    ],
    "intents": [
        {"name": "action", "derive": "column", "column": "action"},
        {"name": "genre", "derive": "category", "feature": "genres"},
        {"name": "repeat", "derive": "repeat", "resume_gap": "1d"},
        {"name": "phase", "derive": "session_phase", "gap": "1h"},
    ],
    "duration_weight": {"column": "seconds"},
    "max_history": 8,
    "exclude_seen": False,
}
TINY = {
    "model": {
        "variant": "V2",
        "dim": 8,
        "intent_dim": 4,
        "feature_dim": 4,
        "heads": 1,
        "item_blocks": 1,
        "dropout": 0.0,
    },
    "training": {
        "epochs": 4,
        "learning_rate": 0.03,
        "warmup_steps": 1,
        "rows_per_batch": 8,
        "row_length": 16,
        "validation_targets": 40,
        "xla": False,
    },
}


def shop_rows(seed: int = 0, users: int = 30) -> tuple[list[str], list[str]]:
    """Lines of events.csv and items.csv; the next item is mostly the current one plus 1, so there is much to learn."""
    rng = random.Random(seed)
    items = ["what,genres,kind,price"]
    for i in range(ITEMS):
        genres = "|".join(rng.sample(["new", "old", "red"], rng.randint(0, 2)))
        items.append(f"i{i},{genres},{rng.choice(['film', 'show'])},{i + 0.5}")
    events = []
    for user in range(users):
        moment, item = START + rng.randrange(40 * 86_400), rng.randrange(ITEMS)
        for _ in range(1 if user == 0 else rng.randint(3, 25)):
            places = "|".join(rng.sample(["home", "work", "bus"], rng.randint(0, 3)))
            row = f"u{user},i{item},{moment},{rng.choice(['play', 'play', 'skip'])},{rng.random() * 100:.3f},{places}"
            events.append((moment, row))
            moment += rng.choice([0, 60, 5_000, 200_000])
            item = (item + 1) % ITEMS if rng.random() < 0.9 else rng.randrange(ITEMS)
    rng.shuffle(events)
    return ["who,what,when,action,seconds,places", *(row for _, row in dict.fromkeys(events))], items


def write_shop(folder: Path, schema: dict[str, Any] | None = None, **sizes: int) -> PrepareConfig:
    """Write the shop's tables and return what prepares them."""
    folder.mkdir(parents=True, exist_ok=True)
    events, items = shop_rows(**sizes)
    (folder / "events.csv").write_text("\n".join(events) + "\n", encoding="utf-8")
    (folder / "items.csv").write_text("\n".join(items) + "\n", encoding="utf-8")
    (folder / "schema.yaml").write_text(yaml.safe_dump({**SCHEMA, **(schema or {})}), encoding="utf-8")
    files = {name: str(folder / f"{name}.csv") for name in ("events", "items")}
    return PrepareConfig(dataset="tables", schema_file=str(folder / "schema.yaml"), **files)


def tiny_config(**training: Any) -> RunConfig:
    """A configuration that trains in seconds."""
    return RunConfig.model_validate({**TINY, "training": {**TINY["training"], **training}})


@pytest.fixture(scope="session")
def make_shop() -> Callable[..., PrepareConfig]:
    """:func:`write_shop`."""
    return write_shop


@pytest.fixture(scope="session")
def make_config() -> Callable[..., RunConfig]:
    """:func:`tiny_config`."""
    return tiny_config


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> PrepareConfig:
    """The shop's tables."""
    return write_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="session")
def prepared(shop: PrepareConfig, tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    """The shop split by time."""
    return prepare(shop, tmp_path_factory.mktemp("data") / "time", lambda line: None)


@pytest.fixture(scope="session")
def prepared_last(shop: PrepareConfig, tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    """The shop split leave-one-out."""
    config = shop.model_copy(update={"split": shop.split.model_copy(update={"kind": "leave_one_out"})})
    return prepare(config, tmp_path_factory.mktemp("data") / "last", lambda line: None)


@pytest.fixture(scope="session")
def trained(prepared: PreparedData, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run on the time split."""
    from pipelines.train import train

    run = RunFolder(tmp_path_factory.mktemp("runs") / "run")
    train(prepared, tiny_config(), run, lambda line: None)
    return run


@pytest.fixture(scope="session")
def exported(trained: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version folder of the run's export."""
    from pipelines.export import export

    return export(trained, tmp_path_factory.mktemp("export") / "model", top_k=5)
