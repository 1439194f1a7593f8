"""What a result must state about where it came from."""

from __future__ import annotations

import datetime
import os
import platform
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

LIBRARIES = ("tensorflow", "tf-keras", "tensorflow-recommenders", "numpy", "pandas")


def provenance() -> dict[str, Any]:
    """Command, commit, date, machine and library versions; no paths of this machine."""
    return {
        "command": command_line(),
        "commit": commit(),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "machine": {"cores": os.cpu_count(), "memory_gb": _memory_gb(), "system": platform.system().lower()},
        "libraries": {"python": platform.python_version(), **library_versions()},
    }


def command_line() -> str:
    """The command as typed (``intentrec`` for ``python -m pipelines.main``), absolute paths cut to their last part."""
    program = Path(sys.argv[0]).name
    words = ["intentrec" if program == "main.py" else program, *sys.argv[1:]]
    parts = (word.rpartition("=") for word in words)
    return shlex.join(head + equals + (Path(v).name if os.path.isabs(v) else v) for head, equals, v in parts)


def commit() -> str:
    """The source's git commit, with ``+`` where files differ from it; ``unknown`` outside a checkout."""
    root = Path(__file__).resolve().parent.parent
    try:
        ask = ("git", "-C", str(root))
        head = subprocess.run([*ask, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run([*ask, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


def library_versions() -> dict[str, str]:
    """Installed versions of the libraries a model depends on; absent ones are left out."""
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _memory_gb() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
