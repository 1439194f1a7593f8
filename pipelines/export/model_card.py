"""What a model is, where it comes from and how good it is, on one page for people."""

from __future__ import annotations

from typing import Any

from pipelines.markdown import markdown

_RANKERS = {"dcn": "DCN v2", "din": "DIN", "transact_v2": "TransAct V2"}
_METRICS = ("HR@1", "HR@10", "HR@20", "NDCG@10", "MRR")


def model_card(info: dict[str, Any]) -> str:
    """The page as Markdown.

    Args:
        info: content of ``intentrec.json``; nothing else is needed.
    """
    config, schema = info["config"]["model"], info["schema"]
    parts = [
        f"# {schema['name']}: IntentRec {config['variant']}, version {info['version']}",
        f"{_what(info)}\n\nExported by `{info['command']}` at {info['date']} from commit `{info['commit']}`.",
        "## Data",
        _data(info),
        "## Accuracy",
        _accuracy(info) + _calibration(info),
        "## How to ask",
        _signatures(info),
        "## What it is for, and what not",
        _limits(info),
        "## How it was made",
        _made(info),
    ]
    return "\n\n".join(parts) + "\n"


def _what(info: dict[str, Any]) -> str:
    schema = info["schema"]
    intents = ", ".join(intent["name"] for intent in schema["intents"])
    reads = f"reads a user's last {schema['max_history']} events"
    if not info["config"]["model"]["variant"].startswith("V") or not intents:
        return f"It {reads} and recommends the next item."
    return f"It {reads}, predicts what the user came to do ({intents}), and recommends the next item."


def _data(info: dict[str, Any]) -> str:
    numbers = info["statistics"]
    rows = [[name.replace("_", " "), f"{numbers[name]:,}"] for name in ("users", "items", "events", "events_train")]
    caveats = "".join(f"\n- {line}" for line in info["sources"])
    return f"{markdown(['', 'number'], rows)}\n\nFingerprint of the prepared data: `{info['fingerprint']}`.\n{caveats}"


def _accuracy(info: dict[str, Any]) -> str:
    record = info["evaluation"]
    if record is None:
        return "Not evaluated before the export: run `intentrec evaluate` on the run and export it again."
    header = ["system", *_METRICS]
    systems = {"this model": record["metrics"], **record["baselines"]}
    rows = [[name, *(f"{metrics[column]:.4f}" for column in _METRICS)] for name, metrics in systems.items()]
    split = record["protocol"]["split"]["kind"].replace("_", " ")
    seen = "excluded" if record["protocol"]["filter_seen"] else "allowed"
    known = "known" if record["request_time"] else "not known"
    how = (
        f"Part: {record['part']}, {record['targets']:,} targets, split by {split}, ranked among the "
        f"{record['protocol']['catalogue']}, seen items {seen}, the time of the request {known} to the model."
    )
    text = f"{how}\n\n{markdown(header, rows)}"
    if record["intents"]:
        rows = [
            [name, f"{values['accuracy']:.3f}", f"{values['majority_accuracy']:.3f}", f"{values['ece']:.3f}"]
            for name, values in record["intents"].items()
        ]
        header = ["intent", "accuracy", "of the most frequent label", "calibration error as trained"]
        text += f"\n\n{markdown(header, rows)}"
    return text


def _calibration(info: dict[str, Any]) -> str:
    """Whether the intents' scores are calibrated, and what that changed; nothing for a model without intents."""
    record = info["calibration"]
    if record is None:
        if "intent" not in info["signatures"]:
            return ""
        return "\n\nThe intents' scores are as trained, not calibrated: `intentrec calibrate`, then export again."
    rows = []
    for name, head in record["heads"].items():
        errors = [f"{head[when]['ece']:.3f}" if when in head else "-" for when in ("before", "after")]
        rows.append([name, f"{head['temperature']:.3f}", *errors])
    table = markdown(["intent", "temperature", "error before", "after"], rows)
    return (
        "\n\nThe scores of `intent` are calibrated: each head's logits are divided by a temperature fitted on the "
        f"{record['fitted_on']} part, which changes no order, nor any other output. {record['definition']} On the test "
        f"part:\n\n{table}"
    )


def _signatures(info: dict[str, Any]) -> str:
    schema = info["schema"]
    kinds = {"numeric": "float32", "categorical": "string", "multi_label": "string, labels joined by `|`"}
    rows = [["`item_id`", "string"], ["`timestamp`", "int64, unix seconds"]]
    rows += [[f"`{feature['name']}`", kinds[feature["kind"]]] for feature in schema["event_features"]]
    return (
        f"Signatures: {', '.join(f'`{name}`' for name in info['signatures'])}. Each event has\n\n"
        f"{markdown(['column', 'type'], rows, '---')}\n\n"
        "and each request `request_time` (int64, unix seconds). `serving.client.IntentRecClient` fills them in."
    )


def _limits(info: dict[str, Any]) -> str:
    known = "training data" if info["schema"]["min_item_count"] else "catalogue it was trained with"
    lines = [
        f"It recommends items of the {known} only; newer ones need a new training run.",
        "A user without events gets what is popular in the training data.",
        *_unseen(info),
        "It learnt from what people did, which depends on what they were shown.",
        "Scores are probabilities of the model, not promises; see the calibration error above.",
        "If people want their data deleted, delete their stored history and leave them out of the next training.",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _unseen(info: dict[str, Any]) -> list[str]:
    """What becomes of items that the catalogue holds and training never saw."""
    if info["schema"]["min_item_count"]:
        return []
    if info["config"]["model"].get("id_dropout"):
        return ["Items without any training event are scored by their catalogue features alone."]
    return ["Scores of items without any training event mean nothing; `model.id_dropout` would base them on features."]


def _made(info: dict[str, Any]) -> str:
    model, training = info["config"]["model"], info["config"]["training"]
    names = ("variant", "dim", "item_blocks", "dropout", "time_encoding", "intent_weight")
    rows = [[name, f"`{model[name]}`"] for name in names]
    rows += [[name, f"`{training[name]}`"] for name in ("epochs", "learning_rate", "seed")]
    libraries = ", ".join(f"{name} {version}" for name, version in info["libraries"].items())
    found = info["retrieval"]
    candidates = f"\n\n`retrieve` brings {found['candidates']} candidates." if found else ""
    candidates += f"\n\n{_ranking(info)}"
    return (
        f"{markdown(['setting', 'value'], rows, '---')}\n\nAll settings, the schema and the vocabularies' digests are "
        f"in `intentrec.json`. Libraries: {libraries}.{candidates}"
    )


def _ranking(info: dict[str, Any]) -> str:
    """By what the signature ``rank`` scores its candidates."""
    config = info["ranking"]
    if config is None:
        return "`rank` scores candidates by their inner product with the item state."
    reads = [words for words, read in (("Z", config["intent"]), ("the item state", config["state"])) if read]
    features = f", with {' and '.join(reads)} of the model above as features" if reads else ""
    return f"`rank` scores candidates by a {_RANKERS[config['kind']]} ranker{features} (weights `{config['version']}`)."
