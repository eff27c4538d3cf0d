"""A registry of one image, on this machine alone: enough for an engine to pull it."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME = "eda-test/tiny"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
LAYER_BYTES = 3_000_000


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _layer() -> tuple[bytes, bytes]:
    """A tar of one file, plain and compressed; another one each time, as an engine asks for none that it has."""
    file, content = tarfile.TarInfo("noise"), os.urandom(LAYER_BYTES)
    file.size = len(content)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.addfile(file, io.BytesIO(content))
    return packed.getvalue(), gzip.compress(packed.getvalue(), 1)


def _contents() -> dict[str, tuple[str, bytes]]:
    """Path -> (type, bytes)."""
    plain, layer = _layer()
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {
        "type": "layers", "diff_ids": [_digest(plain)]}}).encode()
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": len(config), "digest": _digest(config)},
        "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": len(layer),
                    "digest": _digest(layer)}]}).encode()
    blob = "application/octet-stream"
    return {"/v2/": ("application/json", b"{}"),
            **{f"/v2/{NAME}/manifests/{tag}": (MANIFEST, manifest) for tag in ("1", _digest(manifest))},
            **{f"/v2/{NAME}/blobs/{_digest(data)}": (blob, data) for data in (config, layer)}}


@contextmanager
def registry() -> Iterator[str]:
    """The image's name there."""
    contents = _contents()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, data = contents.get(self.path, ("", b""))
            self.send_response(200 if kind else 404)
            self.send_header("Content-Type", kind or "application/json")
            self.send_header("Content-Length", str(len(data)))
            if kind == MANIFEST:
                self.send_header("Docker-Content-Digest", _digest(data))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}/{NAME}:1"
    finally:
        server.shutdown()
        server.server_close()
