"""The seam to the Docker SDK: its errors, and its words on a pull. Imports it only where it was imported before."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from eda_cli.channels import containers_errors as errors


@contextmanager
def mapped(doing: str) -> Iterator[None]:
    """The SDK's errors become those of `containers_errors`; `doing` says what was tried."""
    import docker.errors
    import requests
    import urllib3

    try:
        yield
    except docker.errors.APIError as wrong:
        raise errors.refused(doing, wrong.status_code, text_of(wrong)) from wrong
    except (docker.errors.DockerException, requests.RequestException, urllib3.exceptions.HTTPError, OSError) as wrong:
        text = _innermost(wrong)
        raise errors.forbidden("") if "Permission denied" in text else errors.absent(text) from wrong


def text_of(wrong: Any) -> str:
    """What the engine says, on one line."""
    return " ".join(str(wrong.explanation or wrong).split())


def _innermost(wrong: BaseException) -> str:
    """The text of the first cause, without the layers that libraries wrapped round it."""
    while (cause := wrong.__cause__ or wrong.__context__) is not None:
        wrong = cause
    return " ".join(str(wrong).split()) or type(wrong).__name__


def take_in(layers: dict[str, tuple[int, int]], told: Mapping[str, Any]) -> None:
    """One line of a pull's progress; only downloading counts, as extracting tells its bytes again."""
    detail = told.get("progressDetail") or {}
    if told.get("status") == "Downloading" and "total" in detail:
        layers[told["id"]] = (detail["current"], detail["total"])
    elif told.get("status") in ("Download complete", "Pull complete") and told.get("id") in layers:
        total = layers[told["id"]][1]
        layers[told["id"]] = (total, total)


def packed(files: Mapping[str, bytes]) -> bytes:
    """Files by their absolute paths, as the tar archive that an engine takes; everybody may read them."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path, content in files.items():
            file = tarfile.TarInfo(path.lstrip("/"))
            file.size, file.mode = len(content), 0o644
            tar.addfile(file, io.BytesIO(content))
    return packed.getvalue()
