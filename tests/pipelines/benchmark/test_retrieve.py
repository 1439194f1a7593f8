"""The retrieval benchmark runs and says what it promises; how fast is not a test's business."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.benchmark import retrieve as module
from pipelines.benchmark import retrieve_worker as worker
from pipelines.benchmark.vectors import LOOSE, TIGHT, item_vectors, query_vectors
from pipelines.main import main

ITEMS = 3_000


def test_vectors_are_clustered_and_repeat() -> None:
    vectors = item_vectors(2_000, 16, TIGHT)
    np.testing.assert_array_equal(vectors, item_vectors(2_000, 16, TIGHT))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    near = np.sort(vectors[:50] @ vectors.T, axis=1)
    assert np.median(near[:, -101]) > 0.5  # the 100th neighbour is much nearer than anybody
    assert abs(np.median(near)) < 0.5
    asked = query_vectors(vectors, 5, 3)
    assert asked.shape == (5, 3, 16)
    assert (asked.reshape(-1, 16) @ vectors.T).max(1).min() > 0.8


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """What the first worker leaves and says."""
    folder = tmp_path_factory.mktemp("built")
    return folder, worker.main({"task": "build", "items": ITEMS, "noise": LOOSE, "folder": str(folder)})


def test_the_cheapest_parameters_that_find_enough_are_kept(built: tuple[Path, dict[str, Any]]) -> None:
    found = built[1]
    enough = [point for point in found["tried"] if point["recall"] >= worker.ENOUGH]
    best = min(enough, key=lambda point: point["p50_ms"])
    effort = {"ivf": "probes", "hnsw": "ef_search"}[best["algorithm"]]
    assert (found["parameters"]["algorithm"], found["parameters"][effort]) == (best["algorithm"], best[effort])
    assert {point["algorithm"] for point in found["tried"]} == {"ivf", "hnsw"}
    assert any(point["recall"] < worker.ENOUGH for point in found["tried"])  # the search began below
    assert found["peak_mb"] > 0


def test_every_search_finds_the_nearest(built: tuple[Path, dict[str, Any]]) -> None:
    asked = {"task": "latency", "kinds": list(module.KINDS), "queries": [1, 12], "calls": 3, "folder": str(built[0])}
    for kind, found in worker.main(asked).items():
        assert found["recall"] >= (0.97 if kind == "faiss" else 0.9999), kind
        assert found["worst_recall"] <= found["recall"]
        assert all(found["p99_ms"][count] >= found["p50_ms"][count] > 0 for count in ("1", "12"))


@pytest.mark.parametrize("kind", list(module.KINDS))
def test_memory(kind: str, built: tuple[Path, dict[str, Any]]) -> None:
    found = worker.main({"task": "memory", "kind": kind, "queries": [12, 1], "folder": str(built[0])})
    assert found["memory_mb"]["12"] >= found["memory_mb"]["1"] >= found["memory_before_mb"] > 0


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    threads = []

    def answer(name: str, options: dict[str, Any], given: int = 0) -> dict[str, Any]:
        assert name == "retrieve_worker"
        if options["task"] == "build":
            point = {"algorithm": "ivf", "lists": 9, "probes": 2, "recall": 0.995, "p50_ms": 1.0, "build_seconds": 1.0}
            return {"tried": [point], "parameters": {"lists": 9}, "seconds": 1.5, "peak_mb": 9}
        threads.append(given)
        if options["task"] == "memory":
            return {"memory_mb": {str(count): 100 for count in options["queries"]}, "memory_before_mb": 9}
        return {kind: found(kind, options["queries"]) for kind in options["kinds"]}

    def found(kind: str, queries: list[int]) -> dict[str, Any]:
        cost = {"graph": 4.0, "graph_plain": 12.0, "exact": 6.0, "faiss": 2.0}[kind]
        values = {str(count): cost for count in queries}
        return {"p50_ms": values, "p99_ms": values, "recall": 0.994 if kind == "faiss" else 1.0, "worst_recall": 0.9}

    monkeypatch.setattr(module, "ask_worker", answer)
    file, picture = tmp_path / "r.json", tmp_path / "r.png"
    words = ["--catalogues", "1000,100", "--threads", "2", "--json", str(file), "--picture", str(picture)]
    assert main(["benchmark", "retrieve", *words]) == 0
    record = json.loads(file.read_text(encoding="utf-8"))
    assert set(threads) == {2}
    assert record["largest"] == {
        "items": 1_000,
        "queries": 12,
        "exact_p50_ms": 4.0,
        "ann_p50_ms": 2.0,
        "ann_recall_at_100": 0.994,
        "ratio_exact_vs_ann": 2.0,
    }
    assert record["ratio_graph_plain_vs_graph"] == {"100": 3.0, "1000": 3.0}
    assert record["faiss_tried"]["100"][0]["probes"] == 2
    assert "/" not in json.dumps(record["faiss_parameters"])
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert "1,000 items, 64 dimensions" in capsys.readouterr().out
    assert main(["benchmark", "retrieve", "--catalogues", "50"]) == 2
    assert "--catalogues: name numbers of items from 100 on" in capsys.readouterr().err
