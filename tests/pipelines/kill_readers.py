"""What killed commands leave, as the project's own readers find it: each raises where something is damaged."""

from __future__ import annotations

import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tensorflow as tf
from matplotlib import image

from pipelines.callbacks import read_history
from pipelines.embed.vector_file import VectorFile
from pipelines.export import verify
from pipelines.prepared import PreparedData
from pipelines.run_folder import RunFolder
from serving.candidates import ExactIndex
from serving.release.export_folder import check_complete, find_exports
from tests.pipelines.kills import Parts
from tests.support import examples

VOLATILE = {"date", "seconds", "seconds_training", "command", "commit", "machine", "version"}


def digest(value: Any) -> str:
    """Short, equal for equal bytes, text, arrays or JSON."""
    if isinstance(value, np.ndarray):
        value = repr(value.shape).encode() + np.ascontiguousarray(value).tobytes()
    elif not isinstance(value, (bytes, str)):
        value = json.dumps(value, sort_keys=True)
    return hashlib.sha256(value.encode() if isinstance(value, str) else value).hexdigest()[:12]


def lasting(value: Any) -> Any:
    """JSON without what differs from run to run: dates, seconds, commits, version numbers."""
    if isinstance(value, dict):
        return {key: lasting(part) for key, part in value.items() if key not in VOLATILE}
    return [lasting(part) for part in value] if isinstance(value, list) else value


def tree(folder: Path) -> dict[str, str]:
    """Digests of all files."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): digest(path.read_bytes()) for path in files}


def picture(path: Path) -> str:
    """Digest of its pixels; raises if it is no whole picture."""
    return digest(image.imread(path))


def read_prepared(folder: Path) -> Parts:
    """Records, tables, catalogue and manifest, as the project reads them."""
    if not folder.exists():
        return {}
    data = PreparedData(folder)
    tables = {name: getattr(data, name) for name in ("events", "items", "interests")}
    texts = {name: table.to_csv() for name, table in tables.items() if table is not None}
    catalogue = {name: digest(values) for name, values in sorted(data.spec.catalogue.items())}
    files = sorted(path.name for path in folder.iterdir())
    rejected = (folder / "rejected.csv").read_text(encoding="utf-8")
    return {
        "out": digest([data.manifest, texts, catalogue, files, rejected, list(map(digest, examples(folder)))]),
    }


def finished_preparation(folder: Path, old: str | None) -> dict[str, Any]:
    """When the new preparation was written, if it is there."""
    if not folder.exists() or PreparedData(folder).fingerprint == old:
        return {}
    return {"prepared": (folder / "manifest.json").stat().st_mtime_ns}


class RunReader:
    """Reads a training run's folder at any moment.

    Weights must be such as an undisturbed run had after one of its epochs; the backup must be whole, and of the newest
    epoch in the log or the one before.
    """

    def __init__(self) -> None:
        self._known: list[str] = []

    def learn(self, renamed: dict[str, list[str]]) -> None:
        """Note the weights of an undisturbed run."""
        self._known = renamed["run/best.weights.h5"]

    def read(self, folder: Path) -> Parts:
        """Settings, log, learning curves, and the weights once the log is complete."""
        run = RunFolder(folder)
        if not (folder / "run.json").exists():
            return {}
        prepared, config = run.read()
        log = [lasting(record) for record in read_history(run.history)]
        parts: Parts = {"run": digest([prepared.fingerprint, config.model_dump(mode="json")])}
        parts |= {"log": log} if log else {}
        if (folder / "curves.png").exists():
            parts["curves"] = picture(folder / "curves.png")
        if run.weights.is_file():
            with h5py.File(run.weights) as file:
                assert len(file), f"{run.weights} is empty"
            version = hashlib.sha256(run.weights.read_bytes()).hexdigest()
            assert version in self._known, f"{run.weights} is of no epoch"
            if len(log) == config.training.epochs:
                parts["weights"] = version
        elif log:
            raise AssertionError(f"{run.weights} is missing after epoch {len(log)}")
        if checkpoint := tf.train.latest_checkpoint(str(run.backup / "chief")):
            reader = tf.train.load_checkpoint(checkpoint)
            for name in reader.get_variable_to_shape_map():
                reader.get_tensor(name)
            assert len(log) - 1 <= run.backed_up_epochs() <= len(log), "the backup and the log do not fit"
        return parts

    def finished(self, folder: Path) -> dict[str, Any]:
        """Lines of the epochs that are backed up, to the last byte: one that was trained again took other seconds."""
        run = RunFolder(folder)
        if not (folder / "run.json").exists():
            return {}
        records = read_history(run.history)
        complete = len(records) == run.read()[1].training.epochs
        done = len(records) if complete and run.weights.is_file() else run.backed_up_epochs()
        return {f"epoch {record['epoch']:.0f}": record for record in records[:done]}


def read_report(folder: Path, numbers: str, pictures: tuple[str, ...]) -> Parts:
    """A page with the numbers and pictures that belong to it, as one part."""
    if not (folder / "README.md").exists():
        return {}
    found = [picture(folder / f"{name}.png") if (folder / f"{name}.png").exists() else "" for name in pictures]
    text = (folder / "README.md").read_text(encoding="utf-8")
    values = lasting(json.loads((folder / numbers).read_text(encoding="utf-8")))
    return {"report": digest([re.sub(r"20\d\d-\d\d-\d\d[T ]?[\d:]*Z?|`[0-9a-f]{12}\+?`", "", text), values, found])}


def read_vectors(path: Path) -> Parts:
    """Rows and space of a file of user vectors."""
    if not path.exists():
        return {}
    file = VectorFile.open(path)
    rows = [batch.to_pydict() for batch in file.batches()]
    return {"vectors": digest(repr([file.space, file.moments, rows]))}


def read_index(folder: Path) -> Parts:
    """An index that loads."""
    if not folder.exists():
        return {}
    with ExactIndex.open(folder) as index:
        return {"index": [len(index), tree(folder)]}


@cache
def _verified(folder: str, stamp: Any) -> str:
    """Content of an export that answers as Keras did, without what belongs to the moment of the export."""
    path = Path(folder)
    problem = check_complete(path)
    assert problem is None, f"version {path.name}: {problem}"
    verify(path)
    reader = tf.train.load_checkpoint(str(path / "variables" / "variables"))
    names = sorted(name for name in reader.get_variable_to_shape_map() if "CHECKPOINTABLE" not in name)
    values = {name: digest(np.asarray(reader.get_tensor(name))) for name in names}
    info = lasting(json.loads((path / "intentrec.json").read_text(encoding="utf-8")))
    return digest([values, info, (path / "catalogue.json").read_text(encoding="utf-8"), sorted(tree(path))])


def read_exports(base: Path, old: str) -> Parts:
    """The old version, and the content that all new ones share."""
    found = find_exports(base)
    new = {_verified(str(one.path), _stamp(one.path)) for one in found if one.path.name != old}
    assert len(new) <= 1, f"versions of {base} differ: {new}"
    parts: Parts = {"old": digest(tree(base / old))} if (base / old).exists() else {}
    return parts | ({"new": new.pop()} if new else {})


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns
