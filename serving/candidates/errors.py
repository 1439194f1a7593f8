"""The errors of candidate search: each message is one sentence that says what was wrong, where, and what to do."""

from __future__ import annotations


class CandidateError(Exception):
    """Base of everything this package raises on purpose."""


class CandidateInputError(CandidateError, ValueError):
    """The caller's ids, vectors or options make no sense; the index is as it was before the call."""


class IndexFolderError(CandidateError):
    """A saved index is missing, damaged, of another format or of another model version."""


class IndexServerError(CandidateError):
    """Milvus cannot be reached, failed, or holds something else under that name."""


class MissingPackageError(CandidateError, ImportError):
    """The package an index is built on is not installed."""


def shown(value: object, limit: int = 60) -> str:
    """``value`` on one short line for a message."""
    try:
        return one_line(repr(value), limit)
    except Exception:  # Python refuses to write out enormous numbers, and a caller's __repr__ may do anything
        return "something unprintable"


def one_line(text: str, limit: int = 300) -> str:
    """``text`` without line breaks, final full stop or excess length."""
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= limit else line[: limit - 3] + "..."
