"""The pipeline's commands on tiny data, for :class:`tests.pipelines.kills.Killer`: what they read and leave."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pipelines.config import RunConfig
from pipelines.prepare import PrepareConfig
from pipelines.prepared import PreparedData
from pipelines.reproduce.runs import read_record
from pipelines.run_folder import RunFolder
from serving.candidates import ExactIndex
from serving.release.export_folder import find_exports
from serving.release.release import Release
from tests.pipelines.kill_readers import (
    RunReader,
    digest,
    finished_preparation,
    lasting,
    picture,
    read_exports,
    read_index,
    read_prepared,
    read_report,
    read_vectors,
    tree,
)
from tests.pipelines.kills import Command, ForkServer, Parts

LOGS = re.compile(r"events\.out\.tfevents\..*")
VERSION = re.compile(r"\d{14}")


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
