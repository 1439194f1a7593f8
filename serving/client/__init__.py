"""The thin client: NumPy, grpcio and protobuf, no TensorFlow.

from serving.client import IntentRecClient

with IntentRecClient("127.0.0.1:8500") as client:
    client.wait_until_ready()
    client.recommend([{"item_id": "862", "timestamp": 1700000000}], k=5)
"""

from serving.client.client import IntentRecClient
from serving.client.errors import (
    DeadlineError,
    IntentRecError,
    InvalidInputError,
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

__all__ = [
    "Candidate",
    "Candidates",
    "DeadlineError",
    "IntentPrediction",
    "IntentRecClient",
    "IntentRecError",
    "InvalidInputError",
    "ModelNotFoundError",
    "Recommendations",
    "ScoredItem",
    "ScoredLabel",
    "ServerError",
    "ServerUnavailableError",
    "SignatureError",
    "UserEmbedding",
    "VersionStatus",
]
