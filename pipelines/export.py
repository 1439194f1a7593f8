"""From a training run to a servable version directory."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

from intentrec_tf import __version__
from intentrec_tf.export import save_model
from pipelines.atomic import atomic_directory
from pipelines.environment import provenance
from pipelines.run_folder import RunFolder

INFO = "intentrec.json"
EVALUATION = "evaluation.json"


def export(run: RunFolder, out: str | Path, top_k: int = 100) -> Path:
    """Write ``out/<version>/`` with the SavedModel and ``intentrec.json``; a polling server sees all of it or nothing.

    Args:
        run: a run with at least one finished epoch.
        out: the model's base path, whose numbered folders are versions.
        top_k: items the ``item`` signature returns.

    Returns:
        The new version's folder; its name is the UTC time as ``YYYYMMDDhhmmss``, or more if there is a later one.
    """
    model, prepared, config = run.load_model()
    base = Path(out)
    version = int(datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%d%H%M%S"))
    taken = [int(path.name) for path in base.glob("*") if path.name.isdecimal()]
    version = max([version, *(number + 1 for number in taken)])  # a server takes the highest for the newest
    evaluation = run.folder / EVALUATION
    info: dict[str, Any] = {
        "format": 1,
        "intentrec_tf": __version__,
        "schema": prepared.spec.schema.to_dict(),
        "config": config.model_dump(mode="json"),
        "fingerprint": prepared.fingerprint,
        "vocabulary_digests": prepared.manifest["vocabulary_digests"],
        "statistics": prepared.manifest["statistics"],
        "evaluation": json.loads(evaluation.read_text(encoding="utf-8")) if evaluation.is_file() else None,
        **provenance(),
    }
    with atomic_directory(base / str(version)) as work:
        save_model(model, work, top_k)
        (work / INFO).write_text(json.dumps(info, indent=1, ensure_ascii=False), encoding="utf-8")
    return base / str(version)
