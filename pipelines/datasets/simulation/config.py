"""Size of the simulated service."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipelines.validate import DataError

START = 1_704_067_200  # Monday 2024-01-01 00:00 UTC
DAY = 86_400


@dataclass(frozen=True)
class SimulationConfig:
    """How large the simulated service is; equal configurations give equal data on every machine.

    Attributes:
        users: people, at least 1.
        titles: films and shows, 24 to a million.
        days: length of the log, 1 to 500, from 2024-01-01 on.
        seed: everything random follows from it.
    """

    users: int = 500
    titles: int = 300
    days: int = 90
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (("users", 1, 10**6), ("titles", 24, 10**6), ("days", 1, 500)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise DataError(f"simulation: {name} is {value}; choose {low} to {high}.")

    @classmethod
    def of_size(cls, size: str | SimulationConfig | None, seed: int = 0) -> SimulationConfig:
        """The configuration that a size word names (see :data:`SIZES`), or ``size`` itself.

        Raises:
            DataError: unknown word.
        """
        if isinstance(size, SimulationConfig):
            return size
        word = "small" if size is None else size
        if word not in SIZES:
            raise DataError(f"simulation: unknown size '{word}'; choose one of {', '.join(SIZES)}.")
        return replace(SIZES[word], seed=seed)


SIZES = {
    "tiny": SimulationConfig(users=60, titles=80, days=40),
    "small": SimulationConfig(),
    "medium": SimulationConfig(users=2_000, titles=1_000),
    "large": SimulationConfig(users=5_000, titles=2_000),
    # few users for so many titles: what is measured with them is the catalogue
    "100k-items": SimulationConfig(users=1_000, titles=100_000),
    "1m-items": SimulationConfig(users=5_000, titles=1_000_000),
}
