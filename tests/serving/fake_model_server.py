"""The local server behind the flags of `tensorflow_model_server`, to run the launcher where there is no such binary."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from serving.local.__main__ import main


def write_binary(folder: Path) -> str:
    """An executable `tensorflow_model_server` in a folder, that runs this module."""
    path = folder / "tensorflow_model_server"
    root = Path(__file__).resolve().parents[2]
    path.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(root)!r})\n"
        f"from tests.serving.fake_model_server import run\nsys.exit(run(sys.argv[1:]))\n"
    )
    path.chmod(0o755)
    return str(path)


def run(argv: list[str]) -> int:
    """Translate the flags and serve."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for flag in ("port", "rest_api_port", "model_name", "model_base_path", "model_config_file"):
        parser.add_argument(f"--{flag}")
    for flag in ("monitoring_config_file", "file_system_poll_wait_seconds", "max_num_load_retries"):
        parser.add_argument(f"--{flag}", required=True)
    parser.add_argument("--model_config_file_poll_wait_seconds")
    for flag in ("enable_batching", "enable_per_model_batching_parameters"):
        parser.add_argument(f"--{flag}", choices=["true", "false"], default="false")
    parser.add_argument("--allow_version_labels_for_unavailable_models", choices=["true", "false"], default="false")
    flags = parser.parse_args(argv)
    if "prometheus_config" not in Path(flags.monitoring_config_file).read_text(encoding="utf-8"):
        parser.error("the monitoring configuration says nothing of Prometheus")
    if (flags.model_config_file is None) != (flags.model_config_file_poll_wait_seconds is None):
        parser.error("a configuration is polled")
    arguments = ["--port", flags.port, "--rest-port", flags.rest_api_port]
    arguments += ["--poll-seconds", flags.file_system_poll_wait_seconds]
    if flags.model_config_file is not None:
        arguments += ["--models-config", flags.model_config_file]
    else:
        arguments += [flags.model_base_path, "--model", flags.model_name]
    if flags.enable_batching == flags.enable_per_model_batching_parameters == "true":
        arguments.append("--enable-batching")
    if flags.allow_version_labels_for_unavailable_models == "true":
        arguments.append("--allow-version-labels-for-unavailable-models")
    return main(arguments)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
