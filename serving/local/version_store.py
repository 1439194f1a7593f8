"""Which versions of a model there are, which one is served, and what became of the others."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import grpc

from serving.local.loaded_model import LoadedModel
from serving.local.request_error import RequestError

_LOG = logging.getLogger(__name__)

# A broken version is tried again when its files change, or after this long in case memory had run out.
_RETRY_AFTER_S = 300.0
_REMEMBERED = 32


@dataclass(frozen=True)
class VersionState:
    """One version as GetModelStatus reports it: state and error of a ModelVersionStatus."""

    version: int
    state: str
    error: str = ""


@dataclass(frozen=True)
class _Failure:
    fingerprint: tuple[tuple[str, int, int], ...]
    at: float


class VersionStore:
    """Serves the newest version under a base path that can be loaded.

    A thread looks for changes. A new version is loaded while the old one serves; then one assignment makes it
    current. Requests that hold the old version finish on it. A version that cannot be loaded is logged once
    and left alone until its files change. If the current version's directory is deleted, the newest remaining
    one takes over; if none remains, the current one stays.

    Args:
        model: Name for messages.
        base_path: Directory with one numeric subdirectory for each version; other entries are ignored.
        poll_s: Seconds between two looks.
    """

    def __init__(self, model: str, base_path: Path, poll_s: float) -> None:
        self._model = model
        self._base_path = base_path
        self._poll_s = poll_s
        self._current: LoadedModel | None = None
        self._states: dict[int, VersionState] = {}
        self._failures: dict[int, _Failure] = {}
        self._states_lock = threading.Lock()
        self._refresh_lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def current(self) -> LoadedModel | None:
        """The version that answers now."""
        return self._current

    def start(self) -> None:
        """Begin to look for changes."""
        self._thread = threading.Thread(target=self._poll, name=f"versions of {self._model}", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Stop looking; the current version keeps answering."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def refresh(self) -> None:
        """Look once, and load what is new."""
        with self._refresh_lock:
            for version, directory in self._on_disk():
                if self._current is not None and version == self._current.version:
                    return
                if self._is_known_broken(version, directory):
                    continue
                if self._load(version, directory):
                    return

    def get(self, version: int | None) -> LoadedModel:
        """The version asked for, or the current one for `None`.

        Raises:
            RequestError: NOT_FOUND, it is not loaded.
        """
        current = self._current
        if current is None or version not in (None, current.version):
            asked = "Latest" if version is None else f"Version {version}"
            loaded = "none" if current is None else f"version {current.version}"
            raise RequestError(
                grpc.StatusCode.NOT_FOUND,
                f"Servable not found for request: {asked} of model {self._model!r}, loaded is {loaded}.",
            )
        return current

    def states(self, version: int | None = None) -> tuple[VersionState, ...]:
        """What is known of one version, or of all, newest first.

        Raises:
            RequestError: NOT_FOUND, that version was never seen.
        """
        with self._states_lock:
            states = sorted(self._states.values(), key=lambda state: -state.version)
        if version is None:
            return tuple(states)
        chosen = tuple(state for state in states if state.version == version)
        if not chosen:
            raise RequestError(
                grpc.StatusCode.NOT_FOUND,
                f"Could not find version {version} of model {self._model!r}, so ask for one of "
                f"{[state.version for state in states]}.",
            )
        return chosen

    def _poll(self) -> None:
        while not self._stopping.wait(self._poll_s):
            try:
                self.refresh()
            except Exception:  # the watcher outlives whatever a file system does
                _LOG.exception("Looking for versions of %r failed; it will be tried again.", self._model)

    def _on_disk(self) -> list[tuple[int, Path]]:
        """Version directories, newest first."""
        try:
            entries = list(self._base_path.iterdir())
        except OSError as error:
            _LOG.warning("Cannot list %s (%s); a loaded version stays.", self._base_path, error.strerror)
            return []
        found = [
            (int(entry.name), entry)
            for entry in entries
            if entry.name.isascii() and entry.name.isdigit() and int(entry.name) < 2**63 and entry.is_dir()
        ]
        return sorted(found, reverse=True)

    def _load(self, version: int, directory: Path) -> bool:
        fingerprint = _fingerprint(directory)
        self._set_state(version, "LOADING")
        try:
            model = LoadedModel(directory)
        except Exception as error:  # whatever is wrong, the old version goes on
            self._failures[version] = _Failure(fingerprint, time.monotonic())
            self._set_state(version, "END", str(error))
            _LOG.error("Version %d of %r is skipped: %s", version, self._model, error)
            return False
        self._failures.pop(version, None)
        previous, self._current = self._current, model
        self._set_state(version, "AVAILABLE")
        if previous is not None:
            self._set_state(previous.version, "END")
        _LOG.info("Model %r is now served by version %d.", self._model, version)
        return True

    def _is_known_broken(self, version: int, directory: Path) -> bool:
        failure = self._failures.get(version)
        if failure is None:
            return False
        is_recent = time.monotonic() - failure.at < _RETRY_AFTER_S
        return is_recent and failure.fingerprint == _fingerprint(directory)

    def _set_state(self, version: int, state: str, error: str = "") -> None:
        with self._states_lock:
            self._states[version] = VersionState(version, state, error)
            finished = sorted(number for number, entry in self._states.items() if entry.state == "END")
            for number in finished[: max(0, len(self._states) - _REMEMBERED)]:
                del self._states[number]


def _fingerprint(directory: Path) -> tuple[tuple[str, int, int], ...]:
    """Names, sizes and times of the files of a version: equal as long as nobody touched it."""
    found = []
    for path in sorted(directory.rglob("*")):
        try:
            status = path.stat()
        except OSError:
            continue
        found.append((str(path.relative_to(directory)), status.st_size, status.st_mtime_ns))
    return tuple(found)
