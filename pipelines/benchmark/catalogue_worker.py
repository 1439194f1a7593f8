"""Serve an export and ask it, from a process with no other child, whose memory would count.

``python -m pipelines.benchmark.catalogue_worker '{"export": "export/intentrec", "data": "data"}'``
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.model_server import running_server
from serving.client import IntentRecClient
from serving.user_data import load_user

CALLS, SECONDS = 20, 120.0


def main(options: dict[str, Any]) -> dict[str, Any]:
    """Seconds until the server is ready, its peak memory, and the median milliseconds of each kind of call."""
    import pandas as pd

    events = pd.read_parquet(Path(options["data"]) / "events.parquet", columns=["user_id"])
    user = str(events["user_id"].value_counts().index[0])
    start = time.perf_counter()
    with running_server(Path(options["export"])) as address:
        started = time.perf_counter() - start
        with IntentRecClient(address, timeout_s=SECONDS) as client:
            history = load_user(Path(options["data"]), user, client.event_columns("item")).history
            moment = history[-1]["timestamp"]
            calls: dict[str, Callable[[], Any]] = {
                "intent": lambda: client.intent(history, moment),
                "item": lambda: client.recommend(history, 10, request_time=moment),
                "retrieve": lambda: client.retrieve(history, request_time=moment),
                "two-stage": lambda: client.recommend(history, 10, request_time=moment, two_stage=True),
            }
            p50 = {name: _median_ms(call) for name, call in calls.items()}
        words = ["recommend", "--data", options["data"], "--user", user, "--two-stage", "--json"]
        command = [sys.executable, "-m", "pipelines.main", *words, "--server", address, "--timeout", str(SECONDS)]
        outcome = subprocess.run(command, capture_output=True, text=True, check=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {
        "seconds_to_start": round(started, 1),
        "peak_mb": used // (2**20 if sys.platform == "darwin" else 2**10),
        "p50_ms": p50,
        "recommended": len(json.loads(outcome.stdout)["items"]),
    }


def _median_ms(call: Callable[[], Any]) -> float:
    times = []
    for number in range(CALLS + 3):
        start = time.perf_counter()
        call()
        if number >= 3:
            times.append(1e3 * (time.perf_counter() - start))
    return round(statistics.median(times), 2)


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
