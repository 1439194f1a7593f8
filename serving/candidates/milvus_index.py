"""Search in a Milvus server or cluster, or in Milvus Lite's local file."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.candidates.candidate_index import CandidateIndex, Row
from serving.candidates.errors import CandidateInputError, IndexServerError, MissingPackageError, one_line, shown

_ID, _VECTOR, _MODEL_VERSION = "item_id", "vector", "intentrec.model_version"
_LONGEST_ID = 1024  # bytes of UTF-8
# Lists of each of Milvus's segments, and how many of them a search looks at.
_LISTS, _PROBES = 1024, 64
# Milvus refuses to return more, and messages beyond 64 MiB.
_LARGEST_K = 16_384
_REQUEST_BYTES = 8 * 2**20
_ANSWERS = 100_000
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


class MilvusIndex(CandidateIndex):
    """Items as rows of a Milvus collection: the id its primary key, the vector in inverted lists by inner product.

    Not in a graph: over inner products graphs find too little, see `FaissGraph`, and Milvus takes vectors as they
    are.  Queries that come back with fewer items than there are get answered again from all lists.

    The collection is created when it is not there, and outlives this object; several processes may use one on a
    server.  Consistency is strong: a search sees every change made before it, by whomever.  Large changes go in
    parts: when one fails, those before it stay, and making the whole change again is safe.  A local file belongs to
    one process, until that ends.

    A collection keeps the model version it was created for, and another one is refused: fill a collection of its
    own for each version.

    Args:
        uri: ``http://host:19530`` or ``https://...`` for a server, or a file path that ends in ``.db`` for Milvus Lite.
        dimension: Length of each vector.
        collection: Its name: letters, digits and underscores.
        token: ``user:password`` or an API key; empty where the server asks for none.
        model_version: What the vectors come from.  Default: not recorded, not compared.
        timeout_s: Deadline of each request in seconds.

    Raises:
        CandidateInputError: an argument makes no sense.
        IndexServerError: no answer, or the collection is of another kind, dimension or model version.
        MissingPackageError: pymilvus or, for a local file, milvus-lite is not installed.
    """

    def __init__(
        self,
        uri: str,
        dimension: int,
        collection: str = "items",
        token: str = "",
        model_version: str = "",
        timeout_s: float = 30.0,
    ) -> None:
        super().__init__(dimension)
        _check_address(uri, collection)
        if not isinstance(timeout_s, (int, float)) or not math.isfinite(timeout_s) or timeout_s <= 0:
            raise CandidateInputError(f"timeout_s is {shown(timeout_s)}, so pass a number above 0.")
        self._where = f"collection {collection!r} of Milvus at {re.sub('//[^/]*@', '//', uri)}"
        self._collection, self._timeout_s = collection, float(timeout_s)
        self._milvus = _import_pymilvus(is_local=_is_local(uri))
        self._client = self._connect(uri, token)
        try:
            if not self._call("look for", "has_collection"):
                self._create(model_version)
            self._check_collection(model_version)
            self._call("load", "load_collection")
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        self._check_open()
        answer = self._call("count", "query", filter="", output_fields=["count(*)"], consistency_level="Strong")
        return int(answer[0]["count(*)"])

    def _search(self, queries: NDArray[np.float32], k: int) -> list[Row]:
        if k > _LARGEST_K:
            raise CandidateInputError(f"k is {k} but Milvus returns at most {_LARGEST_K} items, so ask for fewer.")
        rows = self._ask(queries, k, _PROBES)
        short = [place for place, (names, _) in enumerate(rows) if len(names) < k]
        if short:
            there = len(self)
            short = [place for place in short if len(rows[place][0]) < min(k, there)]
        for place, row in zip(short, self._ask(queries[short], k, _LISTS), strict=True):
            rows[place] = row
        return rows

    def _ask(self, queries: NDArray[np.float32], k: int, probes: int) -> list[Row]:
        rows: list[Row] = []
        step = max(1, _ANSWERS // k)
        for start in range(0, len(queries), step):
            answer = self._call(
                "search",
                "search",
                data=list(queries[start : start + step]),
                anns_field=_VECTOR,
                limit=k,
                output_fields=[_ID],
                search_params={"metric_type": "IP", "params": {"nprobe": probes}},
                consistency_level="Strong",
            )
            for hits in answer:
                scores = np.array([hit["distance"] for hit in hits], np.float32)
                rows.append(([hit[_ID] for hit in hits], scores))
        return rows

    def _upsert(self, item_ids: list[str], vectors: NDArray[np.float32]) -> None:
        too_long = next((name for name in item_ids if len(name.encode()) > _LONGEST_ID), None)
        if too_long is not None:
            raise CandidateInputError(f"Item id {shown(too_long)} has more than {_LONGEST_ID} bytes, so shorten it.")
        for names, start in _batches(item_ids, 4 * self.dimension):
            rows = [{_ID: name, _VECTOR: vectors[start + place]} for place, name in enumerate(names)]
            self._call(f"write from item {start} on into", "upsert", data=rows)

    def _remove(self, item_ids: list[str]) -> int:
        removed = 0
        for names, _ in _batches(item_ids, 0):
            # Not `ids=`: pymilvus puts those into a filter as they are, and a quote in an id ends the text there.
            condition = f"{_ID} in [{', '.join(_quoted(name) for name in names)}]"
            there = self._call("look into", "query", filter=condition, output_fields=[_ID], consistency_level="Strong")
            if there:
                self._call("delete from", "delete", filter=condition)
            removed += len(there)
        return removed

    def _close(self) -> None:
        self._client.close()

    def _connect(self, uri: str, token: str) -> Any:
        try:
            return self._milvus.MilvusClient(uri=uri, token=token, timeout=self._timeout_s)
        except self._milvus.MilvusException as error:
            advice = (
                "check that no other process has the file open and that Milvus Lite 3 wrote it"
                if _is_local(uri)
                else "check the address, the token and that the server runs"
            )
            raise IndexServerError(f"Cannot open {self._where}, so {advice} ({_reason(error)}).") from None

    def _create(self, model_version: str) -> None:
        kinds = self._milvus.DataType
        schema = self._milvus.MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field(_ID, kinds.VARCHAR, is_primary=True, max_length=_LONGEST_ID)
        schema.add_field(_VECTOR, kinds.FLOAT_VECTOR, dim=self.dimension)
        index = self._milvus.MilvusClient.prepare_index_params()
        index.add_index(_VECTOR, index_type="IVF_FLAT", metric_type="IP", params={"nlist": _LISTS})
        properties = {_MODEL_VERSION: model_version} if model_version else {}
        self._call(
            "create",
            "create_collection",
            schema=schema,
            index_params=index,
            consistency_level="Strong",
            properties=properties,
        )

    def _check_collection(self, model_version: str) -> None:
        found = self._call("describe", "describe_collection")
        fields = {field["name"]: field for field in found["fields"]}
        if not fields.get(_ID, {}).get("is_primary") or _VECTOR not in fields:
            raise IndexServerError(
                f"The {self._where} has the fields {', '.join(map(repr, fields))}, not {_ID!r} as its key and "
                f"{_VECTOR!r}, so choose another name."
            )
        dimension = int(fields[_VECTOR].get("params", {}).get("dim", 0))
        if dimension != self.dimension:
            raise IndexServerError(
                f"The {self._where} holds vectors of length {dimension}, not {self.dimension}, so choose another name."
            )
        metric = self._call("describe", "describe_index", index_name=_VECTOR).get("metric_type")
        if metric != "IP":
            raise IndexServerError(f"The {self._where} compares by {metric}, not by IP, so choose another name.")
        recorded = self.model_version = found.get("properties", {}).get(_MODEL_VERSION, "")
        if model_version and recorded != model_version:
            raise IndexServerError(
                f"The {self._where} was made for model version {recorded!r}, not {model_version!r}, so fill another "
                f"collection from that version's vectors."
            )

    def _call(self, task: str, method: str, **arguments: Any) -> Any:
        try:
            return getattr(self._client, method)(collection_name=self._collection, timeout=self._timeout_s, **arguments)
        except self._milvus.MilvusException as error:
            raise IndexServerError(
                f"Milvus could not {task} {self._where}, so check that the server runs and look at its log "
                f"({_reason(error)})."
            ) from None


def _check_address(uri: str, collection: str) -> None:
    if not isinstance(uri, str) or not re.match(r"https?://[^/]|.*\.db$", uri, re.DOTALL):
        raise CandidateInputError(f"uri is {shown(uri)}, so pass http://host:19530 or a file path that ends in .db.")
    if _is_local(uri) and not Path(uri).absolute().parent.is_dir():
        raise CandidateInputError(f"uri is {shown(uri)} but there is no such folder, so create it first.")
    if not isinstance(collection, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,254}", collection):
        raise CandidateInputError(
            f"collection is {shown(collection)}, so pass letters, digits and underscores, at most 255, no digit first."
        )


def _is_local(uri: str) -> bool:
    return "://" not in uri


def _batches(item_ids: Sequence[str], more_bytes: int) -> Iterator[tuple[Sequence[str], int]]:
    """Parts of ``item_ids`` that fit a request, with the place where each begins; an id has ``more_bytes`` with it."""
    start, size = 0, 0
    for place, name in enumerate(item_ids):
        needed = 2 * len(name.encode()) + more_bytes + 16
        if size + needed > _REQUEST_BYTES and place > start:
            yield item_ids[start:place], start
            start, size = place, 0
        size += needed
    yield item_ids[start:], start


def _quoted(name: str) -> str:
    return f'"{name.translate(_ESCAPES)}"'


def _reason(error: Exception) -> str:
    return one_line(str(getattr(error, "message", "") or error), 200)


def _import_pymilvus(is_local: bool) -> Any:
    try:
        import pymilvus  # an extra: the base install has none

        if is_local:
            import milvus_lite  # noqa: F401 - what pymilvus opens files with
    except ImportError:
        raise MissingPackageError(
            "A Milvus index needs pymilvus and milvus-lite, so run `pip install 'intentrec_tf[milvus]'` or choose "
            "the exact index."
        ) from None
    return pymilvus
