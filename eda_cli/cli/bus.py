"""A bus that eda did not start: whether it lets us in, and what stays there. Knows no technology, and starts none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from eda_cli.technologies import foreign

if TYPE_CHECKING:
    from eda_cli.sketch.resolved import Resolved


def look(resolved: Resolved, folder: Path) -> str | None:
    """What answers there, in words; None where eda starts the broker itself. Raises ChannelError, which says what is wrong."""
    from eda_cli.channels import connect
    from eda_cli.cli.wished import decide

    where = foreign(resolved.broker)
    if not where:
        return None
    address = decide(resolved, folder)[1]
    assert address is not None
    channel = connect(address)
    try:
        version, topics = channel.version(), channel.topics()
    finally:
        channel.close()
    missing = sorted(resolved.topics.keys() - {topic.name for topic in topics})
    lacks = f"{len(missing)} of {len(resolved.topics)} topics of the sketch are not there: {', '.join(missing)}" if missing else \
        "all topics of the sketch are there"
    return f"{version} at {where} lets us in{_how(address)}; {lacks}"


def staying(where: str) -> str:
    """What a run leaves on a bus that eda did not start; there a group without members may go on collecting events."""
    return f"its events and groups stay on {where}, which eda did not start"


def _how(address: object) -> str:
    """As whom, and how, but never with which password."""
    assert isinstance(address, dict)
    credentials, tls = address.get("credentials"), address.get("tls")
    said = f" as '{credentials['username']}'" if credentials else ""
    said += f" with the certificate {tls['certificate']}" if tls and "certificate" in tls else ""
    return said + (" over TLS" if tls is not None else "")
