"""`python -m serving.local BASE_PATH`: serve a model on this machine."""

from __future__ import annotations

import argparse
import logging
import sys

from serving.local.serve import serve


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and serve; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m serving.local",
        description="Serve the newest version of a SavedModel over the gRPC protocol of TensorFlow Serving.",
        epilog="example: python -m serving.local export/intentrec --port 8500",
    )
    parser.add_argument("base_path", help="directory with one numeric subdirectory for each version")
    parser.add_argument("--model", default="intentrec", help="name to serve it under (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8500, help="TCP port, 0 = any free (default: %(default)s)")
    parser.add_argument("--ready-file", help="write host:port to this file once ready")
    parser.add_argument("--poll-seconds", type=float, default=1.0, help="how often to look for new versions")
    parser.add_argument("--threads", type=int, help="requests worked on at a time (default: four for each core)")
    parser.add_argument("--max-message-mb", type=float, default=64.0, help="largest message in MiB")
    parser.add_argument("--grace-seconds", type=float, default=10.0, help="time to finish requests when stopping")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    return serve(
        options.base_path,
        model=options.model,
        port=options.port,
        host=options.host,
        ready_file=options.ready_file,
        poll_s=options.poll_seconds,
        threads=options.threads,
        max_message_mb=options.max_message_mb,
        grace_s=options.grace_seconds,
    )


if __name__ == "__main__":
    sys.exit(main())
