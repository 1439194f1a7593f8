"""One synthetic data specification for all tests of the library."""

from __future__ import annotations

import pytest

from intentrec_tf.data_spec import DataSpec
from tests.support import User, build_spec, random_user


@pytest.fixture(scope="session")
def spec() -> DataSpec:
    """All kinds of features and intents, 12 items, L = 8."""
    return build_spec()


@pytest.fixture(scope="session")
def users(spec: DataSpec) -> list[User]:
    """Four users of 8, 5, 3 and 1 events."""
    return [random_user(spec, events, seed) for seed, events in enumerate((8, 5, 3, 1))]
