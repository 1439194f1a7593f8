"""What all tests share: a quiet TensorFlow with Keras 2, and where the real data lie."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import pytest

import intentrec_tf

ROOT = Path(intentrec_tf.__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout's root."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets: ``INTENTREC_DATA``, or ``../shared/data`` beside the checkout."""
    folder = Path(os.environ.get("INTENTREC_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"real data sets are not at hand ({folder.name} is absent); set INTENTREC_DATA")
    return folder
