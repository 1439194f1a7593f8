"""The thin client: NumPy, grpcio and protobuf, no TensorFlow.

    from serving.client import IntentRecClient

    with IntentRecClient("127.0.0.1:8500") as client:
        client.wait_until_ready()
        client.recommend([{"item_id": "862", "timestamp": 1700000000}], k=5)

`AsyncIntentRecClient` has the same methods for asyncio; `serving.client.prometheus_metrics` is an extra.
"""

from serving.client.async_client import AsyncIntentRecClient
from serving.client.call_record import CallRecord
from serving.client.canary import Canary
from serving.client.client import IntentRecClient
from serving.client.errors import (
    DeadlineError,
    IntentRecError,
    InvalidInputError,
    LabelNotFoundError,
    MessageSizeError,
    ModelNotFoundError,
    ServerError,
    ServerUnavailableError,
    SignatureError,
)
from serving.client.results import (
    Candidate,
    Candidates,
    IntentPrediction,
    Recommendations,
    ScoredItem,
    ScoredLabel,
    UserEmbedding,
    VersionStatus,
)
from serving.client.tls import Tls

__all__ = [
    "AsyncIntentRecClient",
    "CallRecord",
    "Canary",
    "Candidate",
    "Candidates",
    "DeadlineError",
    "IntentPrediction",
    "IntentRecClient",
    "IntentRecError",
    "InvalidInputError",
    "LabelNotFoundError",
    "MessageSizeError",
    "ModelNotFoundError",
    "Recommendations",
    "ScoredItem",
    "ScoredLabel",
    "ServerError",
    "ServerUnavailableError",
    "SignatureError",
    "Tls",
    "UserEmbedding",
    "VersionStatus",
]
