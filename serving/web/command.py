"""`intentrec web`: serve the page."""

from __future__ import annotations

import argparse
import signal
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import uvicorn

from serving.client import IntentRecError, InvalidInputError
from serving.client.tls import Tls
from serving.terminal import run_command
from serving.web.app import create_app
from serving.web.catalogue import Catalogue

# Starts a model server on a demo's folder: its address and a catalogue file.
StartDemo = Callable[[Path], AbstractContextManager[tuple[str, Path]]]
_EXAMPLES = """\
examples:
  intentrec web --demo demo
  intentrec web --server localhost:8500 --catalogue export/intentrec/20261122101500/catalogue.json
  intentrec catalogue --data data/ml-1m --users 20 --out catalogue.json
  intentrec web --server a:8500,b:8500 --catalogue catalogue.json --port 9000

An export holds a catalogue file without users; `intentrec catalogue` writes one with example users, too.  Who may reach
the page may ask the model, so it is bound to this machine unless --host says otherwise.
"""


def main(argv: list[str], start_demo: StartDemo) -> int:
    """Run the command until it is interrupted.

    Args:
        argv: The arguments after `web`.
        start_demo: Serves what `--demo` names.

    Returns:
        Exit code: 0 stopped, 1 the server or the port is not to be had, 2 the options or a file are wrong.  Errors
        are one sentence on stderr.
    """
    return run_command(lambda: _run(parser().parse_args(argv), start_demo))


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    found = argparse.ArgumentParser(
        prog="intentrec web",
        description="Serve a page that changes itself by the intents a model server predicts.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    source = found.add_mutually_exclusive_group(required=True)
    source.add_argument("--server", help="host:port of a model server, or several with commas between them")
    source.add_argument("--demo", metavar="DIR", type=Path, help="serve what `intentrec demo` left in DIR")
    found.add_argument("--catalogue", metavar="FILE", type=Path, help="titles and labels; with --server")
    found.add_argument("--model", default="intentrec", help="name of the served model (default: %(default)s)")
    found.add_argument("--tls", action="store_true", help="encrypt the connection to the model server")
    found.add_argument("--tls-ca", metavar="FILE", help="trust these certificate authorities (PEM)")
    found.add_argument("--host", default="127.0.0.1", help="address to bind (default: %(default)s)")
    found.add_argument("--port", type=int, default=8080, help="0 picks a free one (default: %(default)s)")
    found.add_argument(
        "--allow-host",
        metavar="NAME",
        action="append",
        default=[],
        help="name under which browsers ask for the page, beside localhost and --host",
    )
    found.add_argument("--timeout", type=float, default=10.0, help="seconds for each question (default: %(default)s)")
    return found


def _run(options: argparse.Namespace, start_demo: StartDemo) -> int:
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl+C: what was started is stopped
    try:
        return _serve(options, start_demo)
    finally:
        signal.signal(signal.SIGTERM, before)


def _serve(options: argparse.Namespace, start_demo: StartDemo) -> int:
    if (options.server is None) != (options.catalogue is None):
        raise InvalidInputError("--catalogue belongs to --server, so pass both or --demo.")
    tls = Tls(options.tls_ca) if options.tls or options.tls_ca else None
    with _bound(options.host, options.port) as listener:
        if options.demo:
            print(f"Starting a model server on {options.demo} ...", flush=True)
        started = start_demo(options.demo) if options.demo else nullcontext((options.server, options.catalogue))
        with started as (server, file):
            hosts = ["127.0.0.1", "localhost", options.host, *options.allow_host]
            app = create_app(server, Catalogue.read(file), options.model, tls, options.timeout, hosts)
            host, port = listener.getsockname()[:2]
            print(f"The page is at http://{host}:{port}/ ; the model server at {server}. Ctrl+C stops.", flush=True)
            config = uvicorn.Config(app, log_level="warning", server_header=False)
            try:
                uvicorn.Server(config).run(sockets=[listener])
            except KeyboardInterrupt:
                print("Stopped.")
    return 0


def _bound(host: str, port: int) -> socket.socket:
    """A socket before anything slow is started, so that a taken port is said at once."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise IntentRecError(f"{host}:{port} cannot be bound ({reason}), so pass another --host or --port.") from None
