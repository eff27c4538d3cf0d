"""Containers of a run, through the Docker SDK: images, start, adopt, stop, sweep. Knows no broker's protocol.

What belongs to a run is found by its labels, never remembered. The SDK is imported once an engine is known to be
there, as importing it costs a quarter of a second. Over 250 lines because all that is asked of an engine is one class.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

from eda_cli.channels import containers_errors as errors
from eda_cli.channels import containers_where as where
from eda_cli.channels.containers_errors import (
    ContainerDied,
    EngineAbsent,
    EngineElsewhere,
    EngineForbidden,
    EngineRefused,
    ImageMissing,
    NameTaken,
    PortTaken,
    RegistryUnreachable,
)
from eda_cli.channels.containers_model import LABEL_ID, LABEL_PORT, LABEL_ROLE, LOCALHOST, Container, Spec, run_of
from eda_cli.channels.containers_sdk import mapped, packed, take_in, text_of
from eda_cli.errors import Unreachable

__all__ = ["Container", "ContainerDied", "Engine", "EngineAbsent", "EngineElsewhere", "EngineForbidden", "EngineRefused",
           "ImageMissing", "NameTaken", "PortTaken", "Progress", "RegistryUnreachable", "Spec"]

CALL_S = 60  # an engine that answers a call later than this is taken for absent
PORT_TRIES = 5  # a free port may be taken by somebody else before the engine publishes it
LOG_LINES = 20
KILLED = 137  # the exit status of what got SIGKILL

Progress = Callable[[int, int, str], None]  # bytes so far, bytes in all (0: unknown), what happens


class Engine:
    """A connection to a container engine. Every method may raise Unreachable, and nothing else."""

    def __init__(self, client: Any, found: where.Found) -> None:
        self._api = client.api
        self._client = client
        self._found = found
        self.url = where.masked(found.url)

    @classmethod
    def connect(cls) -> Engine:
        """Where the docker command would go. Raises EngineAbsent, EngineElsewhere, EngineForbidden."""
        found = where.find()
        if found is None:
            raise errors.absent("no DOCKER_HOST, no docker context, and no socket where one would be")
        try:
            if (host := where.elsewhere(found.url)) is not None:
                raise errors.elsewhere(str(found), host)
            where.knock(found.url)
        except PermissionError:
            raise errors.forbidden(str(found)) from None
        except (OSError, ValueError) as wrong:
            raise errors.absent(f"{found}: {getattr(wrong, 'strerror', None) or wrong}") from None
        if found.url.startswith("ssh:") and find_spec("paramiko") is None:
            raise errors.no_ssh(str(found))
        import docker

        with mapped("connect"):
            client = docker.from_env(timeout=CALL_S, use_ssh_client=True) if found.named \
                else docker.DockerClient(found.url, timeout=CALL_S)
            return cls(client, found)

    def close(self) -> None:
        self._client.close()

    def version(self) -> str:
        """`Docker 28.2.2`, as `doctor` shows it."""
        with mapped("ask for its version"):
            told = self._api.version()
        name = "Podman" if "podman" in str(told).lower() else "Docker"
        return f"{name} {told.get('Version', '?')}"

    def describe(self) -> str:
        """`Podman 4.3.1 at unix:///run/podman/podman.sock (DOCKER_HOST)`: which one answered, and how it was found."""
        return f"{self.version()} at {self._found}"

    # --- images

    def image_present(self, image: str) -> bool:
        import docker.errors

        with mapped("look for the image"):
            try:
                self._api.inspect_image(image)
            except docker.errors.ImageNotFound:
                return False
        return True

    def pull(self, image: str, on_progress: Progress) -> None:
        """Raises ImageMissing, RegistryUnreachable."""
        import docker.errors
        from docker.utils import parse_repository_tag

        repository, tag = parse_repository_tag(image)
        layers: dict[str, tuple[int, int]] = {}
        with mapped("pull the image"):
            try:
                for told in self._api.pull(repository, tag=tag or "latest", stream=True, decode=True):
                    if "error" in told:
                        raise errors.not_pulled(image, str(told["error"]))
                    take_in(layers, told)
                    on_progress(sum(now for now, _ in layers.values()), sum(all_ for _, all_ in layers.values()),
                                str(told.get("status", "")))
            except docker.errors.APIError as wrong:
                raise errors.not_pulled(image, text_of(wrong)) from wrong

    # --- the container of a run

    def find(self, run_id: str, role: str) -> Container | None:
        """The container of a run, by its labels, in whatever state it is."""
        with mapped("look for the container"):
            found = self._api.containers(all=True, filters={"label": [f"{LABEL_ID}={run_id}", f"{LABEL_ROLE}={role}"]})
        return self.look(found[0]["Id"]) if found else None

    def look(self, container_id: str) -> Container | None:
        """The container as it is now; None where it is gone."""
        import docker.errors

        with mapped("look at the container"):
            try:
                told = self._api.inspect_container(container_id)
            except docker.errors.NotFound:
                return None
        return Container.told(told)

    def has_volume(self, run_id: str) -> bool:
        """Whether there are data of this run."""
        with mapped("look for the volume"):
            return bool(self._api.volumes(filters={"label": f"{LABEL_ID}={run_id}"})["Volumes"])

    def create(self, spec: Spec) -> Container:
        """A new container that runs, on the run's volume and network, which are made where they are missing.

        Raises ImageMissing, PortTaken, NameTaken, EngineRefused; then nothing is left that was not there before.
        """
        had_volume = self._volume(spec)
        had_network = True
        try:
            had_network = self._network(spec)
            return self._create_on_a_port(spec)
        except BaseException:
            if not had_network:
                self._drop(self._api.remove_network, spec.name)
            if not had_volume:
                self._drop(self._api.remove_volume, spec.name)
            raise

    def start(self, container: Container) -> None:
        """Start one that stopped, or was paused. Raises PortTaken where somebody else has its port now."""
        with mapped("start the container"):
            if container.state == "paused":
                self._api.unpause(container.id)
            else:
                self._api.start(container.id)

    def stop(self, container: Container, seconds: int) -> None:
        """TERM, and KILL after so many seconds; one that is gone is stopped."""
        import docker.errors

        with mapped("stop the container"), suppress(docker.errors.NotFound):
            self._api.stop(container.id, timeout=seconds)

    def remove(self, container: Container) -> None:
        """With its anonymous volumes; the run's volume stays."""
        import docker.errors

        with mapped("remove the container"), suppress(docker.errors.NotFound):
            self._api.remove_container(container.id, v=True, force=True)

    def leave_network(self, name: str) -> None:
        """Remove the run's network, unless containers of others are still in it: they find it again at the next start."""
        with mapped("look for the network"):
            found = self._api.networks(names=[name], filters={"label": LABEL_ID})
        for each in found:
            self._drop(self._api.remove_network, each["Id"])

    def wait(self, container: Container) -> None:
        """Until the container does not run, however long that takes."""
        import docker.errors

        with mapped("wait for the container"), suppress(docker.errors.NotFound):
            self._api.wait(container.id, timeout=None)

    def last_log(self, container: Container, lines: int = LOG_LINES) -> list[str]:
        """The last lines it wrote, without the frames of stack traces, which bury the words; none where it is gone."""
        import docker.errors

        with mapped("read the container's log"):
            try:
                told: bytes = self._api.logs(container.id, tail=lines * 10)
            except docker.errors.APIError:
                return []
        said = told.decode(errors="replace").splitlines()
        return [line for line in said if not line.startswith(("\tat ", "\t... "))][-lines:]

    def died(self, container: Container) -> ContainerDied:
        """What to tell of a container that ended before its broker answered."""
        why = f"exit status {container.exit_code}"
        if container.out_of_memory:
            why = "it ran out of the memory it was given"
        elif container.exit_code == KILLED:  # Podman does not tell why
            why += ": it was killed, most often because it ran out of the memory it was given"
        return ContainerDied(f"the container of {container.image} ended before it answered", why,
                             self.last_log(container))

    # --- all that carries our labels

    def list_labelled(self, run_id: str | None = None) -> dict[str, list[dict[str, Any]]]:
        """Containers, volumes and networks that eda made, of one run or of all."""
        label = f"{LABEL_ID}={run_id}" if run_id else LABEL_ID
        with mapped("list what belongs to runs"):
            containers = self._api.containers(all=True, filters={"label": label})
            volumes = self._api.volumes(filters={"label": label})["Volumes"] or []
            networks = self._api.networks(filters={"label": label})
        return {
            "containers": [{
                "id": each["Id"], "name": each["Names"][0].lstrip("/"), "state": each["State"], **run_of(each),
                "ports": sorted({port["PublicPort"] for port in each["Ports"] or () if port.get("PublicPort")}),
            } for each in containers],
            "volumes": [{"name": each["Name"], **run_of(each)} for each in volumes],
            "networks": [{"id": each["Id"], "name": each["Name"], **run_of(each)} for each in networks],
        }

    def sweep(self, run_id: str, volumes: bool) -> dict[str, list[str]]:
        """Remove what carries the id of a run, and say by name what that was; its events only with `volumes`.

        Containers of others that joined the run's network go on without it.
        """
        found = self.list_labelled(run_id)
        import docker.errors

        with mapped("remove what belongs to the run"):
            for each in found["containers"]:
                with suppress(docker.errors.NotFound):
                    self._api.remove_container(each["id"], v=True, force=True)
            for each in found["volumes"] if volumes else ():
                with suppress(docker.errors.NotFound):
                    self._api.remove_volume(each["name"])
            for each in found["networks"]:
                with suppress(docker.errors.NotFound):
                    for guest in self._api.inspect_network(each["id"]).get("Containers") or ():
                        with suppress(docker.errors.APIError):  # it left by itself meanwhile
                            self._api.disconnect_container_from_network(guest, each["id"], force=True)
                    self._api.remove_network(each["id"])
        return {what: [each["name"] for each in all_] for what, all_ in found.items() if what != "volumes" or volumes}

    # --- within

    def _create_on_a_port(self, spec: Spec) -> Container:
        prefers = 0 if self._is_of_a_run(spec.prefers) else spec.prefers
        for tries_left in reversed(range(PORT_TRIES)):
            # The engine may see who has a port where we do not: after the first refusal any free one will do.
            port = spec.port or free_port(prefers if tries_left == PORT_TRIES - 1 else 0)
            made = self._make(spec, port)
            try:
                with mapped(f"start the container on port {port}"):
                    self._api.start(made)
            except BaseException as wrong:
                self._drop(self._api.remove_container, made, v=True, force=True)
                if isinstance(wrong, PortTaken) and spec.port is None and tries_left:
                    continue
                raise
            return Container(made, spec.name, "running", spec.image, port)
        raise AssertionError("unreachable")

    def _is_of_a_run(self, port: int) -> bool:
        """Whether a run's container has this port, be it down for the moment: its parts would take our broker for theirs."""
        with mapped("look for the port"):
            return bool(self._api.containers(all=True, filters={"label": f"{LABEL_PORT}={port}"}))

    def _make(self, spec: Spec, port: int) -> str:
        import docker.errors

        host = self._api.create_host_config(
            port_bindings={f"{spec.inside}/tcp": (LOCALHOST, port)}, mem_limit=spec.memory, network_mode=spec.name,
            binds={spec.name: {"bind": spec.data, "mode": "rw"}})
        with mapped("create the container"):
            try:
                made = self._api.create_container(
                    spec.image, name=spec.name, hostname=spec.name, host_config=host,
                    labels={**spec.labels, LABEL_PORT: str(port)},
                    ports=[spec.inside], environment=dict(spec.environment(spec.name, port)),
                    command=list(spec.command) if spec.command is not None else None)
            except docker.errors.ImageNotFound as wrong:
                raise errors.no_image(spec.image, text_of(wrong)) from wrong
        try:
            if spec.files:
                with mapped("write files into the container"):
                    self._api.put_archive(made["Id"], "/", packed(spec.files))
        except BaseException:
            self._drop(self._api.remove_container, made["Id"], v=True, force=True)
            raise
        return str(made["Id"])

    def _volume(self, spec: Spec) -> bool:
        """Whether the volume of the run was there; made where it was not."""
        if self.has_volume(spec.run_id):
            return True
        with mapped("create the volume"):
            self._api.create_volume(spec.name, labels=spec.labels)
        return False

    def _network(self, spec: Spec) -> bool:
        """Whether the network of the run was there; made where it was not.

        Its own network, because only there other containers find the broker by its name.
        """
        with mapped("create the network"):
            if self._api.networks(filters={"label": f"{LABEL_ID}={spec.run_id}"}):
                return True
            self._api.create_network(spec.name, labels=spec.labels)
        return False

    def _drop(self, remove: Callable[..., None], *args: Any, **options: Any) -> None:
        """Clean up behind an error, which is what will be told, not one of the cleaning."""
        with suppress(Unreachable), mapped("clean up"):
            remove(*args, **options)


def free_port(prefers: int) -> int:
    """A port of 127.0.0.1 that is free now: the preferred one if that is."""
    for port in (prefers, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind((LOCALHOST, port))
                return int(probe.getsockname()[1])
    raise PortTaken("there is no free port", "", "")
