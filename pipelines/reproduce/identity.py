"""What every record about a setting states of it."""

from __future__ import annotations

from typing import Any

from pipelines.environment import provenance
from pipelines.prepared import PreparedData
from pipelines.reproduce.protocols import Setting


def record_of(setting: Setting, prepared: PreparedData, **found: Any) -> dict[str, Any]:
    """Setting and data, then ``found``, then where it comes from; JSON ready if ``found`` is."""
    return {
        "setting": setting.name,
        "dataset": setting.dataset,
        "fingerprint": prepared.fingerprint,
        "protocol": setting.protocol,
        "request_time": prepared.spec.schema.request_time,
        **found,
        **provenance(),
    }
