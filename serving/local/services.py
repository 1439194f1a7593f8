"""The gRPC services of TensorFlow Serving, answered from a `VersionStore`."""

from __future__ import annotations

import logging
from typing import Any, NoReturn

import grpc
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.local.request_error import RequestError
from serving.local.version_store import VersionStore

_LOG = logging.getLogger(__name__)
_INVALID = grpc.StatusCode.INVALID_ARGUMENT
_SIGNATURES = "signature_def"


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata; the other calls answer UNIMPLEMENTED.

    Args:
        model: Name under which the versions are served.
        store: Where they are.
    """

    def __init__(self, model: str, store: VersionStore) -> None:
        self._model = model
        self._store = store

    def Predict(  # noqa: N802
        self, request: predict_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> predict_pb2.PredictResponse:
        """Run a signature of the version asked for."""
        try:
            loaded = self._store.get(_version_asked(self._model, request.model_spec))
            signature = request.model_spec.signature_name
            outputs = loaded.predict(signature, request.inputs, request.output_filter)
            response = predict_pb2.PredictResponse(outputs=outputs)
            response.model_spec.name = self._model
            response.model_spec.version.value = loaded.version
            response.model_spec.signature_name = signature or "serving_default"
            return response
        except Exception as error:  # becomes a status
            _decline(context, error, "Predict")

    def GetModelMetadata(  # noqa: N802
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, context: grpc.ServicerContext
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """The signatures of the version asked for."""
        try:
            loaded = self._store.get(_version_asked(self._model, request.model_spec))
            if set(request.metadata_field) != {_SIGNATURES}:
                raise RequestError(
                    _INVALID,
                    f"The metadata_field is {list(request.metadata_field)}, so ask for [{_SIGNATURES!r}], "
                    f"the only field there is.",
                )
            signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=loaded.signature_defs)
            response = get_model_metadata_pb2.GetModelMetadataResponse()
            response.model_spec.name = self._model
            response.model_spec.version.value = loaded.version
            response.metadata[_SIGNATURES].Pack(signatures)
            return response
        except Exception as error:  # becomes a status
            _decline(context, error, "GetModelMetadata")


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus, which doubles as the readiness probe; the other calls answer UNIMPLEMENTED.

    Args:
        model: Name under which the versions are served.
        store: Where they are.
    """

    def __init__(self, model: str, store: VersionStore) -> None:
        self._model = model
        self._store = store

    def GetModelStatus(  # noqa: N802
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.ServicerContext
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """The states of one version or of all."""
        try:
            response = get_model_status_pb2.GetModelStatusResponse()
            for state in self._store.states(_version_asked(self._model, request.model_spec)):
                entry = response.model_version_status.add()
                entry.version = state.version
                entry.state = get_model_status_pb2.ModelVersionStatus.State.Value(state.state)
                if state.error:
                    entry.status.error_code = grpc.StatusCode.FAILED_PRECONDITION.value[0]
                    entry.status.error_message = state.error
            return response
        except Exception as error:  # becomes a status
            _decline(context, error, "GetModelStatus")


def _version_asked(model: str, spec: model_pb2.ModelSpec) -> int | None:
    if spec.name != model:
        raise RequestError(
            grpc.StatusCode.NOT_FOUND,
            f"Servable not found for request: model {spec.name!r}, so ask for {model!r}.",
        )
    if spec.WhichOneof("version_choice") == "version_label":
        raise RequestError(
            _INVALID,
            f"Unrecognized servable version label {spec.version_label!r}: this server has no labels, so ask "
            f"without one.",
        )
    return spec.version.value if spec.HasField("version") else None


def _decline(context: grpc.ServicerContext, error: Exception, call: str) -> NoReturn:
    """End the call with a status; anything unforeseen is logged here and told in one sentence there."""
    abort: Any = context.abort
    if isinstance(error, RequestError):
        abort(error.code, error.message)
    _LOG.error("%s failed.", call, exc_info=error)
    abort(grpc.StatusCode.INTERNAL, f"{call} failed with {type(error).__name__}, so look at the server's log.")
    raise error  # abort() has raised already
