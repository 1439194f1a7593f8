"""The pipeline's commands on tiny data, for :class:`tests.pipelines.kills.Killer`: what they read and leave."""

from __future__ import annotations

import hashlib
import json
import random
import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tensorflow as tf
import yaml
from matplotlib import image

from pipelines.callbacks import read_history
from pipelines.config import RunConfig
from pipelines.embed.vector_file import VectorFile
from pipelines.export import verify
from pipelines.prepare import PrepareConfig
from pipelines.prepared import PreparedData
from pipelines.reproduce.runs import read_record
from pipelines.run_folder import RunFolder
from serving.candidates import ExactIndex
from serving.release.export_folder import check_complete, find_exports
from serving.release.release import Release
from tests.pipelines.kills import Command, ForkServer, Parts
from tests.support import examples

VOLATILE = {"date", "seconds", "seconds_training", "command", "commit", "machine", "version"}
LOGS = re.compile(r"events\.out\.tfevents\..*")
VERSION = re.compile(r"\d{14}")


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


class Commands:
    """Everything that the commands read, made once, and the commands.

    Args:
        server: runs what makes it.
        work: folder for it; ``work/NAME/place`` is where the command NAME works.
        write_shop, config: of the tests' shop: its tables, and a tiny configuration.
    """

    def __init__(
        self,
        server: ForkServer,
        work: Path,
        write_shop: Callable[..., PrepareConfig],
        config: RunConfig,
    ) -> None:
        self._server, self.work, self._write_shop, self._config = server, work, write_shop, config
        self.inputs = work / "inputs"
        self.inputs.mkdir(parents=True)

    def place(self, name: str) -> Path:
        """Where a command works."""
        return self.work / name / "place"

    @property
    def all(self) -> dict[str, Callable[[], Command]]:
        """What makes each command, by name."""
        return {
            "prepare simulated": self.prepare_simulated,
            "prepare check-ins again": self.prepare_again,
            "prepare tables": self.prepare_tables,
            "look": self.look,
            "train": lambda: self.train("train", "v3.yaml"),
            "train retrieval": lambda: self.train("train retrieval", "retrieval.yaml"),
            "train ranking": self.train_ranking,
            "evaluate": self.evaluate,
            "calibrate": self.calibrate,
            "embed": self.embed,
            "drift": self.drift,
            "index": self.index,
            "export": self.export,
            "release promote": self.promote,
            "reproduce": self.reproduce,
        }

    @property
    def weights(self) -> dict[str, int]:
        """How many kills each command gets, in proportion: the cheap ones more."""
        cheap = ("prepare simulated", "prepare check-ins again", "prepare tables", "look")
        return {name: 20 if name in cheap else 11 for name in self.all}

    def prepare_simulated(self) -> Command:
        """Into an empty folder."""
        out = self.place("prepare simulated") / "out"
        return Command(
            "prepare simulated",
            ["prepare", "simulated", "--seed", "1", "--out", str(out)],
            lambda place: read_prepared(place / "out"),
            finished=lambda place: finished_preparation(place / "out", None),
        )

    def prepare_again(self) -> Command:
        """Over what was prepared with other options."""
        place, raw = self.place("prepare check-ins again"), self.checkins()
        words = ["prepare", "foursquare-nyc", "--raw", str(raw), "--out", str(place / "out")]
        self._run([*words, "--split", "leave-one-out"], place)
        before = self._keep(place, "prepared check-ins")
        old = PreparedData(before / "out").fingerprint
        return Command(
            "prepare check-ins again",
            words,
            lambda place: read_prepared(place / "out"),
            before,
            lambda place: finished_preparation(place / "out", old),
        )

    def prepare_tables(self) -> Command:
        """CSV files, which are streamed by way of the disk."""
        self.data()
        words = self._shop_words(self.place("prepare tables") / "out")
        return Command(
            "prepare tables",
            words,
            lambda place: read_prepared(place / "out"),
            finished=lambda place: finished_preparation(place / "out", None),
        )

    def look(self) -> Command:
        """Over an earlier look at other data."""
        from pipelines.look.look import NUMBERS, PICTURES

        place, data = self.place("look"), self.data()
        other = self.inputs / "other"
        self._run([*self._shop_words(other), "--split", "leave-one-out"], other)
        self._run(["look", "--data", str(other), "--out", str(place / "look")], place)
        return Command(
            "look",
            ["look", "--data", str(data), "--out", str(place / "look")],
            lambda place: read_report(place / "look", NUMBERS, PICTURES),
            self._keep(place, "look"),
            may_go=("report",),
        )

    def train(self, name: str, config: str, *more: str) -> Command:
        """Into an empty folder."""
        reader = RunReader()
        run = self.place(name) / "run"
        return Command(
            name,
            [
                "train",
                "--data",
                str(self.data()),
                "--run",
                str(run),
                "--config",
                str(self._configuration(config)),
                *more,
            ],
            lambda place: reader.read(place / "run"),
            finished=lambda place: reader.finished(place / "run"),
            grows=("log",),
            learn=reader.learn,
            volatile=lambda path: LOGS.sub("events", path),
        )

    def train_ranking(self) -> Command:
        """With the finished runs of the two kinds before."""
        runs = (f"ranking.run={self.run('v3')}", f"ranking.retrieval={self.run('retrieval')}")
        return self.train("train ranking", "ranking.yaml", *(word for run in runs for word in ("--set", run)))

    def evaluate(self) -> Command:
        """A run that was evaluated before."""

        def read(place: Path) -> Parts:
            kept, file = RunFolder(place / "run").evaluation(), place / "evaluation.json"
            assert kept is not None, "the run has no evaluation"
            text = {"json": lasting(json.loads(file.read_text(encoding="utf-8")))} if file.exists() else {}
            return {"kept": lasting(kept), **text}

        place = self._with_run("evaluate")
        RunFolder(place / "run").keep_evaluation({"targets": 0})
        words = ["evaluate", "--run", str(place / "run"), "--json", str(place / "evaluation.json")]
        return Command("evaluate", words, read, self._keep(place, "evaluated"))

    def calibrate(self) -> Command:
        """A run that was calibrated before, with its picture."""

        def read(place: Path) -> Parts:
            kept, drawn = RunFolder(place / "run").calibration(), place / "run" / "calibration.png"
            assert kept is not None, "the run has no calibration"
            return {"kept": lasting(kept)} | ({"picture": picture(drawn)} if drawn.exists() else {})

        place = self._with_run("calibrate")
        shutil.copy(place / "run" / "curves.png", place / "run" / "calibration.png")
        RunFolder(place / "run").keep_calibration({"heads": {}})
        return Command("calibrate", ["calibrate", "--run", str(place / "run")], read, self._keep(place, "calibrated"))

    def embed(self) -> Command:
        """Over the vectors of another moment."""
        place = self.place("embed")
        words = ["embed", "--run", str(self.run("v3")), "--out", str(place / "users.parquet"), "--batch", "4"]
        newest = int(PreparedData(self.data()).events["timestamp"].max())
        self._run([*words, "--at", str(newest - 86_400)], place)
        return Command(
            "embed", words, lambda place: read_vectors(place / "users.parquet"), self._keep(place, "embedded")
        )

    def drift(self) -> Command:
        """Over an earlier report, which did not ask the model."""
        from pipelines.drift.drift import NUMBERS, PICTURES

        place = self.place("drift")
        shop = self._write_shop(self.inputs / "newer", seed=5, users=40)
        words = ["drift", str(self.run("v3")), "--new", str(shop.events), "--out", str(place / "drift")]
        self._run([*words, "--questions", "0"], place, (0, 3))
        return Command(
            "drift",
            words,
            lambda place: read_report(place / "drift", NUMBERS, PICTURES),
            self._keep(place, "drifted"),
            codes=(0, 3),
            may_go=("report",),
        )

    def index(self) -> Command:
        """Over an index of another model."""
        place = self.place("index")
        words = ["index", "--run", str(self.run("retrieval")), "--out", str(place / "index")]
        with ExactIndex(2) as older:
            older.upsert(["i1", "i2"], np.eye(2, dtype=np.float32))
            older.save(place / "index", "older")
        return Command("index", words, lambda place: read_index(place / "index"), self._keep(place, "indexed"))

    def export(self) -> Command:
        """Beside an older version."""
        place, old = self.place("export"), "20200101000000"
        words = ["export", "--run", str(self.run("v3")), "--top-k", "5", "--out", str(place / "model")]
        shutil.copytree(self._export(), place / "model" / old)
        return Command(
            "export",
            words,
            lambda place: read_exports(place / "model", old),
            self._keep(place, "exported"),
            lambda place: {one.path.name: digest(tree(one.path)) for one in find_exports(place / "model")},
            volatile=lambda path: VERSION.sub("VERSION", path) if old not in path else path,
        )

    def promote(self) -> Command:
        """A second version after a first one."""

        def read(place: Path) -> Parts:
            release = Release(place / "model")
            labels = {label: one.version for one in release.status().versions for label in one.labels}
            problems = [one.problem for one in release.status().versions if one.problem]
            return {"labels": labels, "problems": problems, "before 2": release.history.stable_before("intentrec", 2)}

        place = self.place("release promote")
        for version in ("1", "2"):
            shutil.copytree(self._export(), place / "model" / version)
        words = ["release", "promote", str(place / "model")]
        settled = ["--label", "stable", "--settle", "0.3"]
        self._run([*words, "1", *settled], place)
        return Command("release promote", [*words, "2", *settled], read, self._keep(place, "promoted"))

    def reproduce(self) -> Command:
        """Two rows of a table."""

        def records(place: Path) -> dict[str, Path]:
            return {path.name: path for path in sorted((place / "results" / "runs").glob("*/*.json"))}

        place, configs = self.place("reproduce"), self.inputs / "configs"
        configs.mkdir()
        values = self._config.model_dump(mode="json", include={"training"})
        values["training"] |= {"epochs": 2}
        values["model"] = {"dim": 8, "intent_dim": 4, "feature_dim": 4, "heads": 1, "item_blocks": 1, "dropout": 0.0}
        (configs / "default.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
        words = [
            "reproduce",
            "table2",
            "--dataset",
            "foursquare-nyc",
            "--raw",
            str(self.checkins()),
            "--only",
            "V0; V1",
        ]
        return Command(
            "reproduce",
            [*words, "--work", str(place / "work"), "--results", str(place / "results")],
            lambda place: {name: digest(lasting(read_record(path))) for name, path in records(place).items()},
            finished=lambda place: {name: digest(path.read_bytes()) for name, path in records(place).items()},
            volatile=lambda path: LOGS.sub("events", path),
            configs=configs,
        )

    @cache  # noqa: B019
    def checkins(self) -> Path:
        """Raw data in Foursquare's form: 30 people, 48 places in two cells."""
        folder, rng = self.inputs / "checkins", random.Random(1)
        folder.mkdir()
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

    @cache  # noqa: B019
    def data(self) -> Path:
        """The shop, prepared."""
        self._write_shop(self.inputs / "shop")
        self._run(self._shop_words(self.inputs / "data"), self.inputs)
        return self.inputs / "data"

    @cache  # noqa: B019
    def run(self, name: str) -> Path:
        """A finished run of a configuration."""
        run, config = self.inputs / "runs" / name, self._configuration(f"{name}.yaml")
        self._run(["train", "--data", str(self.data()), "--run", str(run), "--config", str(config)], self.inputs)
        return run

    @cache  # noqa: B019
    def _export(self) -> Path:
        self._run(["export", "--run", str(self.run("v3")), "--out", str(self.inputs / "model")], self.inputs)
        return find_exports(self.inputs / "model")[0].path

    def _with_run(self, name: str) -> Path:
        """A command's place, with a copy of the finished run in it."""
        place = self.place(name)
        shutil.copytree(self.run("v3"), place / "run")
        return place

    def _shop_words(self, out: Path) -> list[str]:
        shop = self.inputs / "shop"
        files = [word for name in ("events", "items") for word in (f"--{name}", str(shop / f"{name}.csv"))]
        return ["prepare", "tables", *files, "--schema", str(shop / "schema.yaml"), "--out", str(out)]

    def _configuration(self, name: str) -> Path:
        """A tiny configuration of a kind: ``v3.yaml``, ``retrieval.yaml`` or ``ranking.yaml``."""
        training = self._config.model_dump(mode="json")["training"]
        model = self._config.model_dump(mode="json")["model"]
        small = {"interests": "dcm", "count": 2, "dim": 8, "hidden_dim": 8, "feature_dim": 4, "history": 8, "blocks": 0}
        few = {"kind": "din", "hidden_dim": 8, "attention_dim": 4, "history": 8, "nearest": 2, "newest": 2, "width": 4}
        few |= {"blocks": 1, "candidates": 12, "questions": 150, "negatives": 7, "popular": 2}
        values: dict[str, Any] = {
            "v3.yaml": {"model": {**model, "variant": "V3", "short_term_window": 86_400}},
            "retrieval.yaml": {"retrieval": small},
            "ranking.yaml": {"ranking": few},
        }[name]
        path = self.inputs / name
        path.write_text(yaml.safe_dump({**values, "training": training}), encoding="utf-8")
        return path

    def _keep(self, place: Path, name: str) -> Path:
        """What a command starts on, put aside."""
        target = self.inputs / name
        shutil.move(place, target)
        return target

    def _run(self, words: list[str], place: Path, codes: tuple[int, ...] = (0,)) -> None:
        """Run a command to its end."""
        place.mkdir(parents=True, exist_ok=True)
        output = self.work / "output.txt"
        self._server.start(Command(words[0], words, lambda _: {}), place, output, None)
        if (status := self._server.status()) not in codes:
            raise RuntimeError(f"{' '.join(words)}: {status}: {output.read_text(encoding='utf-8')[-2_000:]}")
