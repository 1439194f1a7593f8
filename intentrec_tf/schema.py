"""One declaration of a data set, read by preparation, training and serving alike."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from intentrec_tf.durations import parse_span
from intentrec_tf.yaml_text import RepeatedKeyError, load_yaml

Span = Annotated[int, BeforeValidator(parse_span)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
FeatureKind = Literal["categorical", "multi_label", "numeric"]
LABEL_SEPARATOR = "|"  # between the labels of a multi-label value
RESERVED = {
    # columns of records, inputs and targets of a model
    "user_id",
    "item_id",
    "timestamp",
    "next_timestamp",
    "segment",
    "split",
    "weight",
    "item",
    "seen",
    # inputs and outputs of the signatures
    "request_time",
    "exclude_item_id",
    "candidate_item_id",
    "interest",
    "attention",
    "embedding",
}


class SchemaError(ValueError):
    """A schema is wrong; the message is one sentence naming the file, the field and what to do."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Feature(_Strict):
    """A column of the events or of the items that the model reads.

    Attributes:
        name: column name.
        kind: ``categorical`` (one string), ``multi_label`` (strings joined by ``|``) or ``numeric`` (float).
        min_count: a label seen less often in training maps to the out-of-vocabulary row.
    """

    name: Name
    kind: FeatureKind
    min_count: int = Field(1, ge=1)


class ColumnIntent(_Strict):
    """The next event's value of a logged event column, e.g. ``action_type``.

    Attributes:
        name: of the intent.
        column: a categorical event feature.
    """

    name: Name
    derive: Literal["column"]
    column: Name


class RepeatIntent(_Strict):
    """Has the user met this item before: ``discover``, ``continue`` (again within ``resume_gap``) or ``return``.

    Attributes:
        name: of the intent.
        resume_gap: seconds, or a span such as ``1d``.
    """

    name: Name
    derive: Literal["repeat"]
    resume_gap: Span = 86_400


class CategoryNoveltyIntent(_Strict):
    """``known`` if the user's past holds every label of the item, else ``new``; no label at all is unlabelled.

    Attributes:
        name: of the intent.
        feature: a multi-label item feature.
    """

    name: Name
    derive: Literal["category_novelty"]
    feature: Name


class SessionPhaseIntent(_Strict):
    """``start`` if the gap since the user's previous event exceeds ``gap`` (or there is none), else ``continue``.

    Attributes:
        name: of the intent.
        gap: seconds, or a span such as ``30m``.
    """

    name: Name
    derive: Literal["session_phase"]
    gap: Span = 1800


class AgeBucketIntent(_Strict):
    """Event time minus release time, bucketed by ``edges``; a missing release time is unlabelled.

    ``labels`` has one entry more than ``edges``; an age below the first edge (also before release) gets the first.

    Attributes:
        name: of the intent.
        release: item column with unix seconds or ISO dates.
        edges: increasing spans.
        labels: of the buckets, youngest first.
    """

    name: Name
    derive: Literal["age_bucket"]
    release: Name
    edges: tuple[Span, ...] = (604_800, 2_592_000)
    labels: tuple[str, ...] = ("within a week", "within a month", "catalogue")

    @model_validator(mode="after")
    def _check(self) -> AgeBucketIntent:
        if len(self.labels) != len(self.edges) + 1 or list(self.edges) != sorted(set(self.edges)):
            raise ValueError("needs increasing edges and one label more than edges")
        return self


class CategoryIntent(_Strict):
    """The labels of the next item's multi-label feature (several may be true), e.g. genre.

    Attributes:
        name: of the intent.
        feature: a multi-label item feature.
    """

    name: Name
    derive: Literal["category"]
    feature: Name


class RankBucketIntent(_Strict):
    """Quantile bucket of a number (event column, or ``popularity`` of the item before the event's split).

    Bucket edges are quantiles of the training events.

    Attributes:
        name: of the intent.
        column: event column with a number, or ``popularity``.
        labels: of the buckets, lowest first.
    """

    name: Name
    derive: Literal["rank_bucket"]
    column: Name
    labels: tuple[str, ...] = ("low", "middle", "high")


Intent = Annotated[
    ColumnIntent
    | RepeatIntent
    | CategoryNoveltyIntent
    | SessionPhaseIntent
    | AgeBucketIntent
    | CategoryIntent
    | RankBucketIntent,
    Field(discriminator="derive"),
]


class DurationWeight(_Strict):
    """Loss weight of an event: ``log1p(duration)`` clipped at a quantile, scaled to mean 1 over training.

    Attributes:
        column: event column with the duration.
        clip_quantile: of the training events' durations; longer ones count as this one.
    """

    column: Name
    clip_quantile: float = Field(0.95, gt=0, le=1)


class Schema(_Strict):
    """What a data set holds and what is to be predicted from it.

    Attributes:
        name: short name; it appears in results and exports.
        user_id, item_id, timestamp: column names in the raw log; prepared data use exactly these three words.
        timestamp_unit: unit of the raw timestamps; prepared timestamps are whole unix seconds.
        item_title: item column with the name people read, if there is one.
        event_features, item_features: what the model reads beside the item id.
        intents: what to predict before the item.
        duration_weight: weights the loss by the event's duration; absent means weight 1.
        short_term_window: H of Eq 1, seconds.
        request_time: whether the gap to the next event (at serving: to now) is an input.
        max_history: L, the number of newest events the model reads.
        min_item_count: items with fewer training events map to the out-of-vocabulary row; 0 knows the whole catalogue,
            also items that nobody has met yet, which ``model.id_dropout`` scores by their features.
        explicit_interests: the item feature that users declare interest in, if they do.
        exclude_seen: never recommend what the history holds.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    user_id: str = "user_id"
    item_id: str = "item_id"
    timestamp: str = "timestamp"
    timestamp_unit: Literal["s", "ms", "us", "ns", "min", "datetime"] = "s"
    item_title: str | None = None
    event_features: tuple[Feature, ...] = ()
    item_features: tuple[Feature, ...] = ()
    intents: tuple[Intent, ...] = ()
    duration_weight: DurationWeight | None = None
    short_term_window: Span | None = 604_800
    request_time: bool = True
    max_history: int = Field(200, ge=1, le=10_000)
    min_item_count: int = Field(1, ge=0)
    explicit_interests: Name | None = None
    exclude_seen: bool = True

    @model_validator(mode="after")
    def _consistent(self) -> Schema:
        names = [f.name for f in (*self.event_features, *self.item_features)]
        for group, what in ((names, "feature"), ([i.name for i in self.intents], "intent")):
            for name in group:
                if group.count(name) > 1:
                    raise ValueError(f"{what} '{name}' is declared twice; give each its own name")
                if name in RESERVED:
                    raise ValueError(f"{what} name '{name}' is reserved; choose another")
        events = {f.name: f for f in self.event_features}
        items = {f.name: f for f in self.item_features}
        for intent in self.intents:
            if isinstance(intent, ColumnIntent) and getattr(events.get(intent.column), "kind", "") != "categorical":
                raise ValueError(f"intent '{intent.name}' needs '{intent.column}' among event_features as categorical")
            if (
                isinstance(intent, CategoryIntent | CategoryNoveltyIntent)
                and getattr(items.get(intent.feature), "kind", "") != "multi_label"
            ):
                raise ValueError(f"intent '{intent.name}' needs '{intent.feature}' among item_features as multi_label")
        if self.explicit_interests is not None and self.explicit_interests not in items:
            raise ValueError(f"explicit_interests '{self.explicit_interests}' must be one of item_features")
        return self

    @property
    def intent_names(self) -> tuple[str, ...]:
        """Intent names in the schema's order (outputs named ``attention`` are alphabetical, see export)."""
        return tuple(i.name for i in self.intents)

    @property
    def category_intents(self) -> tuple[CategoryIntent, ...]:
        """Multi-label intents; their labels are the target item's own and are looked up in the graph."""
        return tuple(i for i in self.intents if isinstance(i, CategoryIntent))

    @property
    def single_label_intents(self) -> tuple[Intent, ...]:
        """The other intents, in the schema's order; preparation derives one label per event for each."""
        return tuple(i for i in self.intents if not isinstance(i, CategoryIntent))

    def event_columns(self) -> tuple[str, ...]:
        """Columns the events frame must hold beside the three ids, in a stable order, without repeats."""
        columns = [f.name for f in self.event_features]
        columns += [i.column for i in self.intents if isinstance(i, RankBucketIntent) and i.column != "popularity"]
        if self.duration_weight:
            columns.append(self.duration_weight.column)
        return tuple(dict.fromkeys(columns))

    def item_columns(self) -> tuple[str, ...]:
        """Columns the items frame must hold beside ``item_id``, in a stable order, without repeats."""
        columns = [self.item_title] if self.item_title else []
        columns += [f.name for f in self.item_features]
        columns += [i.release for i in self.intents if isinstance(i, AgeBucketIntent)]
        return tuple(dict.fromkeys(columns))

    @classmethod
    def parse(cls, values: dict[str, Any], source: str = "schema") -> Schema:
        """Build a schema from plain values.

        Raises:
            SchemaError: one sentence naming ``source``, the field and what is wrong.
        """
        try:
            return cls.model_validate(values)
        except pydantic.ValidationError as error:
            raise SchemaError(_one_sentence(error, source)) from None

    @classmethod
    def from_yaml(cls, path: str | Path) -> Schema:
        """Read a schema from a YAML file.

        Raises:
            SchemaError: the file is missing, is not YAML, or breaks a rule of the schema.
        """
        try:
            values = load_yaml(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise SchemaError(f"{path}: cannot be read ({error.strerror}); name an existing schema file.") from None
        except UnicodeDecodeError as error:
            raise SchemaError(f"{path}: byte {error.start} is not UTF-8; save the schema as UTF-8.") from None
        except RepeatedKeyError as error:
            raise SchemaError(f"{path}: {error}; keep one of them.") from None
        except (yaml.YAMLError, ValueError, RecursionError) as error:  # also no such date, and nested too deeply
            mark = getattr(error, "problem_mark", None)
            where = f"line {mark.line + 1}" if mark else "somewhere"
            raise SchemaError(f"{path}: not valid YAML at {where}; check indentation and colons.") from None
        if not isinstance(values, dict):
            raise SchemaError(f"{path}: holds no 'key: value' mapping; see pipelines/README.md for an example.")
        return cls.parse(values, str(path))

    def to_dict(self) -> dict[str, Any]:
        """Plain values (JSON and YAML ready) from which :meth:`parse` makes an equal schema."""
        return self.model_dump(mode="json")

    def to_yaml(self) -> str:
        """YAML text from which :meth:`from_yaml` makes an equal schema."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True)


def _one_sentence(error: pydantic.ValidationError, source: str) -> str:
    """The first problem of a validation error (and how many more there are), in words."""
    first = error.errors()[0]
    kinds = {"column", "repeat", "category_novelty", "session_phase", "age_bucket", "category", "rank_bucket"}
    parts = [str(part) for part in first["loc"]]
    if len(parts) > 2 and parts[0] == "intents" and parts[2] in kinds:
        del parts[2]  # pydantic's mark of the derivation, not a key of the file
    field = " ".join(".".join(parts).split())  # a key may hold a line break
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] in ("union_tag_invalid", "union_tag_not_found"):
        message = f"'derive' must be one of {', '.join(sorted(kinds))}"
    if first["type"] == "extra_forbidden":
        close = difflib.get_close_matches(parts[-1], _known_keys(_Strict), n=1)
        hint = f"(did you mean '{close[0]}'?)" if close else "(pipelines/README.md lists all)"
        message = f"unknown key {hint}"
    elif first["type"] == "missing":
        message = "is required but missing"
    more = f" ({error.error_count() - 1} more problems follow)" if error.error_count() > 1 else ""
    where = f"field '{field}'" if field else "the whole file"
    return f"{source}: {where}: {message}{more}."


def _known_keys(model: type[BaseModel]) -> list[str]:
    """Every key that some part of a schema knows."""
    return sorted({name for part in model.__subclasses__() for name in [*part.model_fields, *_known_keys(part)]})
