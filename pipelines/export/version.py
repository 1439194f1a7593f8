"""From a training run to a servable version directory."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

from intentrec_tf import __version__
from intentrec_tf.export import save_model
from intentrec_tf.models.next_item_model import NextItemModel
from intentrec_tf.ranking import JointRanker
from intentrec_tf.retrieval import Retriever
from pipelines.catalogue import CATALOGUE, catalogue
from pipelines.environment import provenance
from pipelines.export.batching import write_batching
from pipelines.export.model_card import model_card
from pipelines.export.verify import keras_answers, verify, write_answers
from pipelines.export.warmup import made_up_requests, write_requests
from pipelines.merging import USUAL, Merging
from pipelines.pace import Pace
from pipelines.run_folder import RunFolder
from pipelines.two_stage import make_retriever
from pipelines.validate import DataError
from serving.atomic import atomic_directory, remove_leftovers

INFO = "intentrec.json"
CARD = "MODEL_CARD.md"


def export(
    run: RunFolder,
    out: str | Path,
    top_k: int = 100,
    implicit: RunFolder | None = None,
    explicit: RunFolder | None = None,
    candidates: int = 500,
    ranker: RunFolder | None = None,
    merging: Merging = USUAL,
) -> Path:
    """Write ``out/<version>/``; a polling server sees all of it or nothing.

    In it are the SavedModel, warm-up requests, batching parameters, the answers that :func:`verify` compares with,
    ``intentrec.json``, ``MODEL_CARD.md`` and the web page's ``catalogue.json`` (titles and labels, no users).  A
    SavedModel that does not answer as the Keras model does is refused.  Where the run was calibrated, the scores of
    ``intent`` are at the heads' temperatures.

    Args:
        run: a run with at least one finished epoch.
        out: the model's base path, whose numbered folders are versions.
        top_k: items the ``item`` signature returns.
        implicit, explicit: retrieval runs over the same data, for the ``retrieve`` signature.
        candidates: items ``retrieve`` returns.
        ranker: a ranking run trained with ``run``, for the ``rank`` signature.
        merging: how candidates become the list of ``retrieve``.

    Raises:
        DataError: a run that is not there, or does not fit, answers that differ or are not finite, or ``out`` holds
            something else.

    Returns:
        The new version's folder; its name is the UTC time as ``YYYYMMDDhhmmss``, or more if there is a later one.
    """
    base = Path(out)
    _check_base(base)
    model, prepared, config = run.load_next_item_model()
    joint, ranking = None, None
    if ranker is not None:
        joint, ranking = _joint_ranker(ranker, run)
        model = joint.model
    retriever = None
    if implicit is not None:
        run.check_same_data(implicit)
        retriever = make_retriever(implicit, explicit, candidates, merging)
    elif explicit is not None:
        raise DataError("--explicit needs --implicit too; name a run of implicit interests.")
    calibration = _summary(run.calibration())
    temperatures = {name: head["temperature"] for name, head in calibration["heads"].items()} if calibration else {}
    now = datetime.datetime.now(datetime.timezone.utc)
    version = int(now.strftime("%Y%m%d%H%M%S"))
    taken = [int(path.name) for path in base.glob("*") if path.name.isdecimal()]
    version = max([version, *(number + 1 for number in taken)])  # a server takes the highest for the newest
    info: dict[str, Any] = {
        "format": 2,
        "intentrec_tf": __version__,
        "version": version,
        "schema": prepared.spec.schema.to_dict(),
        "config": config.model_dump(mode="json"),
        "retrieval": _retrieval(retriever),
        "ranking": ranking,
        "fingerprint": prepared.fingerprint,
        "vocabulary_digests": prepared.manifest["vocabulary_digests"],
        "statistics": prepared.manifest["statistics"],
        "sources": prepared.manifest["sources"],
        "evaluation": run.evaluation(),
        "calibration": calibration,
        **provenance(),
    }
    remove_leftovers(base, "[0-9]*")  # of killed exports, which had other numbers
    with atomic_directory(base / str(version)) as work:
        info["signatures"] = _fill(work, model, top_k, retriever, joint, temperatures, base.name, int(now.timestamp()))
        (work / INFO).write_text(json.dumps(info, indent=1, ensure_ascii=False), encoding="utf-8")
        (work / CARD).write_text(model_card(info), encoding="utf-8")
        (work / CATALOGUE).write_text(catalogue(prepared), encoding="utf-8")
    return base / str(version)


def _check_base(base: Path) -> None:
    """Refuse a folder of something else, such as prepared data, which a version in it would spoil.

    Raises:
        DataError: it holds files or folders, and none of them is a version.
    """
    if base.exists() and not base.is_dir():
        raise DataError(f"{base}: is a file; name a folder with --out.")
    names = [path.name for path in base.glob("[!.]*")]
    if names and not any(name.isdecimal() or name == "models.config" for name in names):
        raise DataError(
            f"{base}: exists and holds something else ({min(names)}); name a new or empty folder, or one of exports, "
            "with --out."
        )


def _fill(
    work: Path,
    model: NextItemModel,
    top_k: int,
    retriever: Retriever | None,
    ranker: JointRanker | None,
    temperatures: dict[str, float],
    name: str,
    moment: int,
) -> list[str]:
    """The SavedModel with all that a server reads beside it, compared with the Keras model; names of signatures."""
    pace = Pace("exporting", 3)
    signatures = save_model(model, work, top_k, retriever, ranker, temperatures)
    pace.advance("model saved")
    requests = list(made_up_requests(signatures, model.spec, moment))
    write_requests(requests, work, name)
    write_batching(work)
    write_answers(keras_answers(signatures, requests), work)
    pace.advance("Keras has answered the warm-up requests")
    found = verify(work)
    pace.advance("the saved model answers alike")
    return list(found.signatures)


def _joint_ranker(ranker: RunFolder, run: RunFolder) -> tuple[JointRanker, dict[str, Any]]:
    """A ranker with the model of ``run``, and what an export says of it.

    Raises:
        DataError: it is no ranker, or was trained with another run.
    """
    joint, _, config = ranker.load_ranker()
    assert config.ranking is not None
    if RunFolder(config.ranking.run).version() != run.version():
        raise DataError(f"{ranker.folder}: was trained with {config.ranking.run}; export that one with --run.")
    return joint, {**config.ranking.described(), "version": ranker.version()}


def _summary(calibration: dict[str, Any] | None) -> dict[str, Any] | None:
    """What an export says of its temperatures: the record without the bins of the diagrams."""
    if calibration is None:
        return None
    heads = {}
    for name, head in calibration["heads"].items():
        heads[name] = {"temperature": head["temperature"], "form": head["form"]}
        if "test" in head:
            heads[name] |= {w: {k: head["test"][w][k] for k in ("log_loss", "ece")} for w in ("before", "after")}
    return {**{key: calibration[key] for key in ("fitted_on", "definition", "date")}, "heads": heads}


def _retrieval(retriever: Retriever | None) -> dict[str, Any] | None:
    """What an export says of its candidates."""
    if retriever is None:
        return None
    return {
        "candidates": retriever.total,
        "versions": list(retriever.versions),
        "explicit_share": retriever.explicit_share,
        "guardrail": retriever.guardrail,
        "by_score": retriever.by_score,
        "implicit": retriever.implicit.config.model_dump(mode="json"),
        "explicit": retriever.explicit.config.model_dump(mode="json") if retriever.explicit else None,
    }
