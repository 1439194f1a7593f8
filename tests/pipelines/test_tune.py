"""The search for a configuration: starts at the base, sees the validation part only, goes on after an interruption."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import pipelines.train
from intentrec_tf.retrieval import RetrievalConfig
from pipelines import tune as module
from pipelines.config import RankingRunConfig, RunConfig
from pipelines.main import main
from pipelines.prepared import PreparedData
from pipelines.split import VALIDATION
from pipelines.tune import SPACE, tune, usual_keys, write_config
from pipelines.validate import DataError

Configure = Callable[..., RunConfig]
RATE = "training.learning_rate"


def quiet(line: str) -> None:
    pass


@dataclass
class Hill:
    """In place of training: the nearer the learning rate is to 0.004, the better.

    Attributes:
        tried: configurations in order.
        stop_at: the number of the training that is interrupted.
        poor_from: trainings from this number on score nothing.
    """

    tried: list[RunConfig] = field(default_factory=list)
    stop_at: int | None = None
    poor_from: int = 1_000

    def __call__(self, prepared: Any, config: RunConfig, run: Any, say: Any, callbacks: Any) -> Any:
        run.begin(prepared, config)
        if len(self.tried) == self.stop_at:
            raise KeyboardInterrupt
        self.tried.append(config)
        score = 1 / (1 + abs(config.training.learning_rate - 0.004)) * (len(self.tried) < self.poor_from)
        for epoch in range(4):
            for callback in callbacks:
                callback.on_epoch_end(epoch, {"val_ndcg@10": score})
        lines = [{"epoch": 1, "val_ndcg@10": score / 2}, {"epoch": 2, "val_ndcg@10": score}]
        run.history.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")

    @property
    def rates(self) -> list[float]:
        return [config.training.learning_rate for config in self.tried]


@pytest.fixture
def hill(monkeypatch: pytest.MonkeyPatch) -> Hill:
    """Training that takes no time."""
    made = Hill()
    monkeypatch.setattr(module, "train", made)
    return made


def flat(config: RunConfig) -> RunConfig:
    return config.model_copy(update={"model": config.model.model_copy(update={"variant": "V0"})})


def test_the_first_trial_is_the_base_and_the_best_wins(
    prepared: PreparedData, make_config: Configure, hill: Hill, tmp_path: Path
):
    base, lines = make_config(), []  # its width of 8 and rate of 0.03 lie outside what is searched
    best = tune(prepared, base, ["model.dim", RATE], 6, tmp_path / "work", lines.append)
    assert hill.tried[0] == base
    assert len(hill.tried) == 6
    assert best == min(hill.tried, key=lambda config: abs(config.training.learning_rate - 0.004))
    assert best != base
    for config in hill.tried[1:]:
        assert 5e-4 <= config.training.learning_rate <= 8e-3
        assert config.model.dim in (48, 64, 96, 128)
        same = config.model_dump()
        same["model"]["dim"], same["training"]["learning_rate"] = base.model.dim, base.training.learning_rate
        assert same == base.model_dump()  # nothing else is changed
    assert lines[0].startswith("trial 1 of 6: validation NDCG@10 0.9747 (the base); best 0.9747")
    assert "trial 6 of 6: " in lines[-1]


def test_the_base_alone(prepared: PreparedData, make_config: Configure, hill: Hill, tmp_path: Path):
    assert tune(prepared, make_config(), usual_keys(make_config()), 1, tmp_path, quiet) == make_config()


def test_it_goes_on_and_never_tries_the_same_again(
    prepared: PreparedData, make_config: Configure, hill: Hill, tmp_path: Path
):
    base, work, lines = make_config(), tmp_path / "work", []
    tune(prepared, base, [RATE], 4, work, quiet)
    tune(prepared, base, [RATE], 4, work, lines.append)
    assert (len(hill.tried), lines) == (4, [])
    best = tune(prepared, base, [RATE], 8, work, lines.append)
    assert [line.partition(":")[0] for line in lines] == [f"trial {i} of 8" for i in (5, 6, 7, 8)]
    assert len(set(hill.rates)) == 8
    assert best.training.learning_rate == min(hill.rates, key=lambda rate: abs(rate - 0.004))


@pytest.mark.parametrize("stop_at", [0, 2])
def test_an_interrupted_search_goes_on_and_clears_up(
    prepared: PreparedData, make_config: Configure, hill: Hill, tmp_path: Path, stop_at: int
):
    work, hill.stop_at = tmp_path / "work", stop_at
    with pytest.raises(KeyboardInterrupt):
        tune(prepared, make_config(), [RATE], 4, work, quiet)
    assert [path.name for path in work.glob("trial-*")] == [f"trial-{stop_at}"]
    hill.stop_at = None
    tune(prepared, make_config(), [RATE], 4, work, quiet)
    assert [path.name for path in work.iterdir()] == ["study.db"]
    assert len(hill.tried) == 4
    assert hill.tried[0] == make_config()
    assert len(set(hill.rates)) == 4


def test_a_hopeless_trial_is_given_up(prepared: PreparedData, make_config: Configure, hill: Hill, tmp_path: Path):
    lines: list[str] = []
    hill.poor_from = 7
    best = tune(prepared, make_config(epochs=4), [RATE], 8, tmp_path, lines.append)
    assert [line.split(": ")[1].split(" (")[0] for line in lines[6:]] == ["given up", "given up"]
    assert best.training.learning_rate in hill.rates[:6]
    assert [path.name for path in tmp_path.iterdir()] == ["study.db"]


def test_an_impossible_combination_costs_a_trial_only(
    prepared: PreparedData, make_config: Configure, hill: Hill, tmp_path: Path
):
    """Heads that do not divide the width."""
    base = make_config()
    base = base.model_copy(update={"model": base.model.model_copy(update={"dim": 9})})
    lines: list[str] = []
    tune(prepared, base, ["model.heads"], 6, tmp_path, lines.append)
    impossible = [line for line in lines if "impossible" in line]
    assert impossible
    assert all(line.endswith("must divide dim 9)") for line in impossible)
    assert len(hill.tried) == 6 - len(impossible)
    assert {config.model.heads for config in hill.tried} == {1}


def test_another_search_in_the_same_folder_is_refused(
    prepared: PreparedData, prepared_last: PreparedData, make_config: Configure, hill: Hill, tmp_path: Path
):
    tune(prepared, make_config(), [RATE], 1, tmp_path, quiet)
    cases = [(prepared_last, make_config(), [RATE]), (prepared, make_config(seed=1), [RATE])]
    for data, base, keys in [*cases, (prepared, make_config(), [RATE, "model.dim"])]:
        with pytest.raises(
            DataError, match="holds a search over other data, keys or another base; name another folder"
        ):
            tune(data, base, keys, 2, tmp_path, quiet)
    assert len(hill.tried) == 1


def test_an_unknown_key_is_one_sentence(prepared: PreparedData, make_config: Configure, tmp_path: Path):
    with pytest.raises(DataError, match=r"^--search model\.width: is not searched; choose from model\.dim, .*decay\.$"):
        tune(prepared, make_config(), [RATE, "model.width"], 2, tmp_path / "work", quiet)
    assert not (tmp_path / "work").exists()
    with pytest.raises(DataError, match=r"retrieval\.dim: means nothing to this configuration, which trains V2\.$"):
        tune(prepared, make_config(), [RATE, "retrieval.dim"], 2, tmp_path / "work", quiet)
    candidates = RunConfig(retrieval=RetrievalConfig())
    with pytest.raises(DataError, match=r"model\.dim: means nothing to .* trains retrieval, dcm\.$"):
        tune(prepared, candidates, [RATE, "model.dim"], 2, tmp_path / "work", quiet)


def test_every_key_of_the_space_is_one_of_the_configuration():
    candidates, ranker = RunConfig(retrieval=RetrievalConfig()), RunConfig(ranking=RankingRunConfig(run=Path()))
    known = {**candidates.model_dump(), "ranking": ranker.model_dump()["ranking"]}
    trial = SimpleNamespace(
        suggest_categorical=lambda key, choices: choices[-1],
        suggest_int=lambda key, low, high: high,
        suggest_float=lambda key, low, high, **_: high,
    )
    for key, suggest in SPACE.items():
        group, name = key.split(".")
        assert name in known[group]
        needed = {"run": "."} if group == "ranking" else {}
        RunConfig.model_validate({group: {**needed, name: suggest(trial, key)}})
    for base in (RunConfig(), candidates, ranker):
        assert set(usual_keys(base)) <= set(SPACE)
        assert {key.partition(".")[0] for key in usual_keys(base)} == {base.section, "training"}


def test_the_best_configuration_can_be_read_again(make_config: Configure, tmp_path: Path):
    config = flat(make_config(seed=3))
    for made in (config, RunConfig()):
        write_config(made, tmp_path / "deep" / "best.yaml", "V0 for shop.")
        assert RunConfig.read(tmp_path / "deep" / "best.yaml") == made
    write_config(config, tmp_path / "best.yaml", "V0 for shop.")
    lines = (tmp_path / "best.yaml").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# V0 for shop."
    assert lines[1].startswith("# Found by `")
    assert "patience" not in "".join(lines)  # left at its default


def test_the_command(prepared: PreparedData, hill: Hill, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "tuned.yaml"
    command = [
        "tune",
        "--data",
        str(prepared.folder),
        "--set",
        "model.variant=SASRec",
        "--search",
        RATE,
        "--out",
        str(out),
    ]
    assert main([*command, "--trials", "3"]) == 0
    best = RunConfig.read(out)
    assert best in hill.tried
    assert best.model.variant == "SASRec"
    assert (tmp_path / "tuned.tuning" / "study.db").is_file()
    assert f"written: {out}" in capsys.readouterr().out
    hill.stop_at = 4
    assert main([*command, "--trials", "6"]) == 130
    assert "the same command goes on after the last finished trial" in capsys.readouterr().err
    hill.stop_at = None
    assert main([*command, "--trials", "6"]) == 0
    assert len(hill.tried) == 6
    assert main([*command, "--search", "model.width"]) == 2
    assert "--search model.width: is not searched" in capsys.readouterr().err


def test_the_test_part_is_never_read(
    prepared: PreparedData, make_config: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A true training; whoever asks for questions of a part is overheard."""
    asked = []
    real = pipelines.train.evaluation_batches

    def overhear(data: PreparedData, part: int, *words: Any, **options: Any) -> Any:
        asked.append(part)
        return real(data, part, *words, **options)

    monkeypatch.setattr("pipelines.train.evaluation_batches", overhear)
    monkeypatch.setattr("pipelines.evaluate.evaluation_batches", overhear)
    base = make_config(epochs=1)
    base = base.model_copy(update={"model": base.model.model_copy(update={"variant": "SASRec"})})
    assert tune(prepared, base, [RATE], 1, tmp_path, quiet) == base
    assert asked == [VALIDATION]
    assert [path.name for path in tmp_path.iterdir()] == ["study.db"]
