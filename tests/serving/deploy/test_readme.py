"""What the README tells to type can be typed; its ``intentrec`` lines are read by tests/test_documents.py."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.serving.deploy.files import DEPLOY, MODEL

README = (DEPLOY / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def typed(start: str) -> list[list[str]]:
    lines = [line for block in blocks("bash") for line in block.splitlines() if line.startswith(start)]
    return [shlex.split(line, comments=True) for line in lines]


def test_files_are_there() -> None:
    names = {word for words in typed("docker ") + typed("kubectl ") + typed("serving/") for word in words}
    paths = {name for name in names if name.startswith("serving/deploy")}
    assert len(paths) == 4
    assert all((DEPLOY.parents[1] / path).exists() for path in paths)
    for name in re.findall(r"^\| `([^`]+)`", README, re.MULTILINE):
        assert (DEPLOY / name).exists(), name


METADATA = {
    "item_id": ("DT_STRING", ["-1", "4"]),
    "timestamp": ("DT_INT64", ["-1", "4"]),
    "exclude_item_id": ("DT_STRING", ["-1", "-1"]),
    "request_time": ("DT_INT64", ["-1"]),
}


@pytest.mark.skipif(shutil.which("node") is None, reason="node, which runs the page's script, is not on PATH")
def test_the_pages_script_sends_what_the_model_takes() -> None:
    asked: list[Any] = []

    class Rest(BaseHTTPRequestHandler):
        def _answer(self, value: Any, status: int = 200) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(value).encode())

        def do_GET(self) -> None:
            assert self.path == f"/v1/models/{MODEL}/labels/stable/metadata"
            inputs = {
                name: {"dtype": dtype, "tensor_shape": {"dim": [{"size": size, "name": ""} for size in sizes]}}
                for name, (dtype, sizes) in METADATA.items()
            }
            self._answer({"metadata": {"signature_def": {"signature_def": {"item": {"inputs": inputs}}}}})

        def do_POST(self) -> None:
            assert self.path == f"/v1/models/{MODEL}/labels/stable:predict"
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            if len(asked) < 3:
                self._answer({"predictions": [{"item_id": ["7"]}]})
            else:
                self._answer({"error": "no"}, 400)

        def log_message(self, *args: Any) -> None:
            """Nothing."""

    (script,) = blocks("js")
    with ThreadingHTTPServer(("127.0.0.1", 0), Rest) as rest:
        threading.Thread(target=rest.serve_forever, daemon=True).start()
        script = script.replace("localhost:8501", f"127.0.0.1:{rest.server_port}")
        script += """
        const events = [1, 2, 3, 4, 5].map((n) => ({ item_id: `${n}`, timestamp: n }));
        (async () => {
          console.log((await ask("item", events)).item_id[0]);
          console.log((await ask("item", events.slice(3), { exclude_item_id: ["9"] })).item_id[0]);
          await ask("item", []).catch((error) => console.log(error.message));
        })();
        """
        done = subprocess.run(["node", "-e", script], capture_output=True, text=True, timeout=60)
        rest.shutdown()
    assert done.stdout.split() == ["7", "7", "no"], done.stderr
    rows = [body["instances"][0] for body in asked]
    assert {body["signature_name"] for body in asked} == {"item"}
    assert all(set(row) == set(METADATA) for row in rows)
    assert rows[0]["item_id"] == ["2", "3", "4", "5"]
    assert (rows[1]["item_id"], rows[1]["timestamp"]) == (["4", "5", "", ""], [4, 5, 0, 0])
    assert [row["exclude_item_id"] for row in rows] == [[""], ["9"], [""]]
    assert all(isinstance(row["request_time"], int) for row in rows)
