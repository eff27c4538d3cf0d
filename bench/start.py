"""How long it takes until the first event is handled, beside what nobody can do without."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import orjson

from bench.rig import PATIENCE_S, Rig
from eda_cli.event import epoch

SHOP = Path(__file__).parent.parent / "sketches" / "shop.yaml"
PROBE_S = 0.01


class Start(NamedTuple):
    """Seconds from the command: until the first event was handled, and until the terminal showed that."""

    handled: float
    shown: float


def eda(rig: Rig, broker: str) -> Start:
    """`eda up sketches/shop.yaml` in a terminal of its own."""
    begin = time.time()
    up = subprocess.Popen([sys.executable, "-m", "eda_cli", "up", str(SHOP), "--broker", broker, "--json"],
                          env=rig.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL)
    assert up.stdout is not None
    start = None
    for line in up.stdout:
        seen = orjson.loads(line)
        if seen["kind"] == "handled":
            start = Start(epoch(seen["time"]) - begin, time.time() - begin)
            break
    up.send_signal(signal.SIGINT)
    _, said = up.communicate(timeout=PATIENCE_S)
    if start is None:
        raise RuntimeError(f"eda up ended: {said.decode()}")
    rig.down("shop")
    return start


def typer() -> float:
    """Seconds that `python -c "import typer"` takes."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import typer"], check=True)
    return time.perf_counter() - begin


def kafka_container() -> float:
    """Seconds from asking for a bare container, of eda's image with eda's settings, to its first answer."""
    import docker

    from eda_cli.channels import kafka_broker
    from eda_cli.cli.engine import image_for

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    client = docker.from_env()
    begin = time.perf_counter()
    container = client.containers.run(
        image_for("kafka", None), detach=True, mem_limit=kafka_broker.MEMORY, name=f"eda-bench-{port}",
        ports={f"{kafka_broker.PORT}/tcp": ("127.0.0.1", port)},
        environment=dict(kafka_broker.environment(f"eda-bench-{port}", port, f"bench{port}")))
    try:
        while not kafka_broker.answers(port):
            if time.perf_counter() - begin > PATIENCE_S:
                raise TimeoutError("the bare container does not answer")
            time.sleep(PROBE_S)
        return time.perf_counter() - begin
    finally:
        container.remove(force=True, v=True)
        client.close()
