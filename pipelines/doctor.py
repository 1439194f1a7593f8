"""``intentrec doctor``: is this machine ready, and if not, what to do.  Needs nothing beyond the base install."""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

TESTED_TENSORFLOW = ("2.21",)


@dataclass(frozen=True)
class Check:
    """One finding: ``state`` is ``ok``, ``note`` (works, but know this) or ``fail`` (something will not work)."""

    state: str
    what: str
    advice: str = ""


def main(argv: list[str]) -> int:
    """Print all findings; exit code 1 if one of them is a failure."""
    parser = argparse.ArgumentParser(
        prog="intentrec doctor",
        description="Check this machine: Python, libraries, their known conflicts, data, model server.",
        epilog="example: intentrec doctor",
    )
    try:
        parser.parse_args(argv)
    except SystemExit as stop:  # argparse has printed the help or the complaint
        return stop.code if isinstance(stop.code, int) else 2
    checks = [
        _python(),
        *map(_package, ("intentrec_tf", *_requirements())),
        *_train_packages(),
        *_conflicts(),
        *_machine(),
        _data(),
        _server(),
    ]
    for check in checks:
        print(f"{check.state:<5} {check.what}" + (f": {check.advice}" if check.advice else ""))
    failures = sum(check.state == "fail" for check in checks)
    print("everything needed is here" if not failures else f"{failures} problem(s) to solve")
    return 1 if failures else 0


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    if (3, 10) <= sys.version_info[:2] <= (3, 12):
        return Check("ok", f"Python {version}")
    return Check("fail", f"Python {version}", "use Python 3.10, 3.11 or 3.12")


def _requirements(extra: str | None = None) -> list[str]:
    """Names of the packages that the base install, or one of its extras, declares."""
    try:
        lines = metadata.requires("intentrec_tf") or []
    except metadata.PackageNotFoundError:  # a finding of its own
        lines = []
    names = []
    for line in lines:
        package, _, condition = line.partition(";")
        if (f'extra == "{extra}"' in condition.replace("'", '"')) if extra else "extra" not in condition:
            names.append(re.split(r"[^A-Za-z0-9_.-]", package.strip())[0])
    return names


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _package(name: str) -> Check:
    version = _version(name)
    return Check("ok", f"{name} {version}") if version else Check("fail", f"{name} missing", f"pip install {name}")


def _train_packages() -> list[Check]:
    needed = _requirements("train")
    missing = [name for name in needed if _version(name) is None]
    if len(missing) == len(needed):
        return [
            Check(
                "note",
                "base install only",
                "commands other than intent, recommend and history need 'intentrec_tf[train]'",
            )
        ]
    if missing:
        return [Check("fail", f"missing {', '.join(missing)}", "pip install 'intentrec_tf[train]'")]
    return [Check("ok", f"{name} {_version(name)}") for name in needed]


def _conflicts() -> list[Check]:
    checks = []
    if importlib.util.find_spec("scann"):
        checks.append(
            Check("fail", "scann is installed", "it breaks tensorflow-recommenders here: pip uninstall scann")
        )
    tensorflow = _version("tensorflow")
    if tensorflow and not tensorflow.startswith(TESTED_TENSORFLOW):
        checks.append(Check("note", f"TensorFlow {tensorflow}", f"tested with {' and '.join(TESTED_TENSORFLOW)}"))
    keras = os.environ.get("TF_USE_LEGACY_KERAS", "1")
    if keras not in ("1", "true", "True"):
        checks.append(Check("fail", f"TF_USE_LEGACY_KERAS={keras}", "unset it: intentrec_tf needs Keras 2"))
    return checks


def _machine() -> list[Check]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    free = shutil.disk_usage(".").free / 2**30
    disk = Check(
        "ok" if free > 2 else "note",
        f"{free:.0f} GiB free disk here",
        "" if free > 2 else "runs may need 2 GiB",
    )
    return [Check("ok", f"{cores} cores"), disk, *_pages()]


def _pages(setting: Path = Path("/sys/kernel/mm/transparent_hugepage/enabled")) -> list[Check]:
    """Whether large buffers, which a training step takes and gives back, come in large pages."""
    offered = setting.is_file() and "[madvise]" in setting.read_text(encoding="ascii")
    name, version = platform.libc_ver()
    asked = "glibc.malloc.hugetlb" in os.environ.get("GLIBC_TUNABLES", "")
    if not offered or asked or name != "glibc" or tuple(map(int, version.split(".")[:2])) < (2, 35):
        return []
    return [Check("note", "memory comes in small pages", "GLIBC_TUNABLES=glibc.malloc.hugetlb=1 speeds training up")]


def _data() -> Check:
    folder = os.environ.get("INTENTREC_DATA")
    if not folder:
        return Check("note", "INTENTREC_DATA is not set", "data sets are fetched, or named with --raw")
    if Path(folder).is_dir():
        return Check("ok", "INTENTREC_DATA names a folder")
    return Check("fail", "INTENTREC_DATA names no folder", "correct or unset it")


def _server() -> Check:
    binary = os.environ.get("TENSORFLOW_MODEL_SERVER") or shutil.which("tensorflow_model_server")
    if binary and Path(binary).is_file():
        return Check("ok", f"TensorFlow Serving binary {Path(binary).name}")
    return Check("note", "no tensorflow_model_server", "'intentrec serve' runs the built-in local server instead")
