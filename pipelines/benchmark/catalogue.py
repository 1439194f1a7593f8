"""The whole way with a large catalogue: prepare, train, export, serve, ask; seconds and memory of each step."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.benchmark.worker import ask_worker, measured_command
from pipelines.environment import provenance
from pipelines.progress import track

RANKING = ("--config", "simulated", "--set", "model.negatives=1024", "--set", "training.validation_targets=500")
RETRIEVAL = ("--config", "simulated-retrieval", "--set", "training.validation_targets=500")


def benchmark_catalogue(size: str, work: Path, epochs: int = 1, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Go the whole way with the simulated service, each step as a command in a process of its own.

    IntentRec V3 is trained with sampled negatives, candidates with those of the batch.

    Args:
        size: of the simulated service, ``100k-items`` or ``1m-items``; every item is known to the models.
        work: empty folder for data, runs and export.
        epochs: of either training.
        say: receives a line per step.

    Raises:
        DataError: a step failed.
    """
    data, v3, dcm, out = (str(work / name) for name in ("data", "v3", "dcm", "export/intentrec"))
    once = ("--set", f"training.epochs={epochs}", "--set", "training.validate_every=1")
    commands = {
        "prepare": ["prepare", "simulated", "--size", size, "--min-item-count", "0", "--out", data],
        "train IntentRec V3": ["train", "--data", data, "--run", v3, *RANKING, *once],
        "train retrieval": ["train", "--data", data, "--run", dcm, *RETRIEVAL, *once],
        "export": ["export", "--run", v3, "--implicit", dcm, "--out", out],
    }
    steps: dict[str, Any] = {}
    for name, words in track(commands.items(), "steps", len(commands)):
        steps[name] = measured_command(words)
        say(f"{name}: {steps[name]['seconds']:.0f} s, peak {steps[name]['peak_mb']:,} MB")
    statistics = json.loads((work / "data" / "manifest.json").read_text(encoding="utf-8"))["statistics"]
    served = ask_worker("catalogue_worker", {"export": out, "data": data})
    steps["serve"] = {"seconds": served.pop("seconds_to_start"), "peak_mb": served.pop("peak_mb")}
    say(f"serve: {steps['serve']['seconds']:.0f} s to start, peak {steps['serve']['peak_mb']:,} MB")
    say(", ".join(f"{name} {value:.0f} ms" for name, value in served["p50_ms"].items()) + " (median of a call)")
    return {
        "benchmark": "catalogue",
        "size": size,
        **{name: statistics[name] for name in ("items", "users", "events")},
        "epochs": epochs,
        "seconds": {name: step["seconds"] for name, step in steps.items()},
        "peak_mb": {name: step["peak_mb"] for name, step in steps.items()},
        "steps_an_epoch": {name: _steps(Path(run)) for name, run in (("IntentRec V3", v3), ("retrieval", dcm))},
        "commands": {name: _shown(words, work) for name, words in commands.items()},
        **served,
        **provenance(),
    }


def _steps(run: Path) -> dict[str, float]:
    """What the first epoch took, by the run's history."""
    first = json.loads((run / "history.jsonl").read_text(encoding="utf-8").splitlines()[0])
    return {"seconds": round(first["seconds"], 1), "loss": round(first["loss"], 3)}


def _shown(words: list[str], work: Path) -> str:
    return " ".join(["intentrec", *(word.replace(f"{work}/", "") for word in words)])
