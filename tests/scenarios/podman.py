"""A Podman of the tests' own: its service on a scratch socket, with storage and networks that are nobody else's."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from tests.eventually import eventually

# The limits are below what containers are often given, else a machine that forbids to raise them starts none.
CONTAINERS = """
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=20000:20000"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "{folder}/tmp"
[network]
network_config_dir = "{folder}/networks"
"""
STORAGE = """
[storage]
driver = "{driver}"
graphroot = "{folder}/graph"
runroot = "{folder}/run"
"""
DRIVERS = ("overlay", "vfs")  # the first that this machine's file system can do


@contextmanager
def podman(image: str) -> Iterator[str]:
    """The address of its socket; the image of the docker engine is in it as `localhost/IMAGE`."""
    if shutil.which("podman") is None:
        _missing("podman is not installed")
    folder = Path(tempfile.mkdtemp(prefix="eda-podman-"))  # short: the path of a socket has at most 108 bytes
    environ = {**os.environ, "CONTAINERS_CONF": str(folder / "containers.conf"),
               "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf")}
    try:
        (folder / "containers.conf").write_text(CONTAINERS.format(folder=folder))
        _set_up(folder, environ)
        _load(image, environ)
        with (folder / "service.log").open("wb") as log:
            service = subprocess.Popen(["podman", "system", "service", "--time=0", f"unix://{folder}/podman.sock"],
                                       env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            eventually((folder / "podman.sock").exists, 30)
            yield f"unix://{folder}/podman.sock"
        finally:
            service.terminate()
            service.wait(20)
    finally:
        subprocess.run(["podman", "system", "reset", "--force"], env=environ, capture_output=True, timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


def _set_up(folder: Path, environ: dict[str, str]) -> None:
    told = ""
    for driver in DRIVERS:
        (folder / "storage.conf").write_text(STORAGE.format(driver=driver, folder=folder))
        done = subprocess.run(["podman", "info"], env=environ, capture_output=True, text=True)
        if done.returncode == 0:
            return
        told = done.stderr.strip()
    _missing(f"podman does not work on this machine: {told}")


def _load(image: str, environ: dict[str, str]) -> None:
    with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
        loaded = subprocess.run(["podman", "load"], env=environ, stdin=saved.stdout, capture_output=True, text=True)
    assert loaded.returncode == 0, loaded.stderr


def _missing(reason: str) -> NoReturn:
    """A laptop may lack it, CI may not."""
    pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    raise AssertionError("unreachable")
