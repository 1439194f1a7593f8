"""How long to fuzz: some seconds with the other tests; as long as you like with ``INTENTREC_FUZZ=EXAMPLES``."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_EVERY = {
    "deadline": None,
    "database": None,
    "print_blob": True,
    "suppress_health_check": list(HealthCheck),  # fixtures hold what is read only, and mutations filter nothing
}
settings.register_profile("short", max_examples=30, derandomize=True, **_EVERY)
if os.environ.get("INTENTREC_FUZZ"):
    settings.register_profile("long", max_examples=int(os.environ["INTENTREC_FUZZ"]), **_EVERY)
settings.load_profile("long" if os.environ.get("INTENTREC_FUZZ") else "short")

from tests.serving.conftest import add_version, redis_server, saved_model  # noqa: E402, F401
