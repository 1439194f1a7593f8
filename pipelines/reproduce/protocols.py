"""Which preparation a protocol means for a data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from intentrec_tf.schema import Schema
from pipelines.datasets.registry import packaged_schema
from pipelines.derived_interests import InterestRule
from pipelines.prepare import PrepareConfig
from pipelines.split import SplitConfig
from pipelines.validate import DataError

PROTOCOLS = {
    "T": "global time: train, then validation, then test; nothing of the future is known",
    "P2": "a user's last event is test, the last but one validation; items with at least 5 events",
    "P3": "a user's last event is test; a tenth of the users give their last but one for early stopping",
    "S3": "a user's last event is test, the last but one validation; seen items are never right",
}
_LEAVE_ONE_OUT = SplitConfig(kind="leave_one_out", validation_users=1.0)
_SPLITS = {
    "T": SplitConfig(),
    "P2": _LEAVE_ONE_OUT,
    "P3": SplitConfig(kind="leave_one_out", validation_users=0.1),
    "S3": _LEAVE_ONE_OUT,
}
_MIN_INTERACTIONS = {"P2": 5}
_DERIVED = "-derived-"
_USUAL = {"movielens-1m": "P3", "s3rec-yelp": "S3", "s3rec-beauty": "S3"}


@dataclass(frozen=True)
class Setting:
    """Data, protocol, and whether the moment of the question is an input: what one table is about.

    Attributes:
        dataset: name of ``intentrec data``.
        protocol: key of :data:`PROTOCOLS`.
        request_time: whether models may read the target event's time.
        raw: folder of the raw data, None to look for it.
        size, simulation_seed: of the simulated service.
        all_items: whether items without any training event are in the catalogue, too.
        interests: item feature whose labels users get as interests from their first ratings, where they declared none
            (see :mod:`pipelines.derived_interests`).
    """

    dataset: str
    protocol: str
    request_time: bool = True
    raw: str | None = None
    size: str | None = None
    simulation_seed: int = 1
    all_items: bool = False
    interests: str | None = None

    @classmethod
    def of(
        cls,
        dataset: str,
        protocol: str | None = None,
        request_time: bool | None = None,
        raw: str | None = None,
        interests: str | None = None,
    ) -> Setting:
        """A setting with the protocol and the use of the request time that are usual for the data set.

        Raises:
            DataError: unknown protocol.
        """
        chosen = protocol or _USUAL.get(dataset, "T")
        if chosen not in PROTOCOLS:
            raise DataError(f"unknown protocol '{chosen}'; choose one of {', '.join(PROTOCOLS)}.")
        size = "medium" if dataset == "simulated" else None  # "small" is too few to tell variants apart
        return cls(
            dataset, chosen, chosen != "P2" if request_time is None else request_time, raw, size, interests=interests
        )

    @property
    def name(self) -> str:
        """For folders and file names."""
        name = f"{self.dataset}-{self.protocol}" + ("" if self.request_time else "-no-request-time")
        name += "-all-items" if self.all_items else ""
        return name + (f"{_DERIVED}{self.interests}" if self.interests else "")

    def preparation(self) -> PrepareConfig:
        """How to prepare the data."""
        return PrepareConfig(
            dataset=self.dataset,
            raw=str(Path(self.raw)) if self.raw else None,
            split=_SPLITS[self.protocol],
            min_interactions=_MIN_INTERACTIONS.get(self.protocol, 1),
            request_time=None if self.request_time else False,
            exclude_seen=None if self.protocol == "T" else True,
            size=self.size,
            min_item_count=0 if self.all_items else None,
            seed=self.simulation_seed if self.size else 0,
            derive_interests=InterestRule(feature=self.interests) if self.interests else None,
        )


def schema_of(setting: str, dataset: str) -> Schema:
    """The schema of a data set as it is in a setting, by the setting's name."""
    _, derived, feature = setting.partition(_DERIVED)
    schema = packaged_schema(dataset)
    return schema.model_copy(update={"explicit_interests": feature}) if derived else schema
