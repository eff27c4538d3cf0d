"""A bus that eda did not start: what is there stays as it was, and no topic is made where none may be."""

from __future__ import annotations

import pytest

from eda_cli.channels import connect
from eda_cli.channels.base import EventChannel, Group, Topic
from eda_cli.errors import ChannelError, UnknownTopic
from eda_cli.technologies import TECHNOLOGIES, Ability
from tests.channels.acts import drain, events, ids, publish
from tests.channels.contract.words import Name
from tests.channels.raw import Address

pytestmark = [pytest.mark.broker, pytest.mark.parametrize(
    "channel_address", [kind for kind, one in TECHNOLOGIES.items() if one.image], indirect=True)]


def test_none_is_created_where_none_may_be(channel: EventChannel, channel_address: Address, name: Name) -> None:
    there, first, second = name("there"), name("first"), name("second")
    refused, taken = Group(name("refused"), (there,)), Group(name("taken"), (there,))
    channel.declare([Topic(there, 1)], [])
    guest = connect({**channel_address, "ours": False, "creates": False})
    try:
        with pytest.raises(ChannelError, match=f"2 topics are not there: {first}, {second}"):
            guest.declare([Topic(second, 1), Topic(there, 1), Topic(first, 1)], [refused])
        with pytest.raises(UnknownTopic):
            guest.publish(first, events(1))
        guest.declare([Topic(there, 3)], [taken])
        assert {first, second}.isdisjoint(topic.name for topic in channel.topics())
        if Ability.PARTITIONS in channel.can:
            assert [len(topic.partitions) for topic in channel.topics() if topic.name == there] == [1]
        groups = {info.name for info in channel.groups()}
        assert (refused.name in groups, taken.name in groups) == (False, True)  # where it begins is settled by then
        published = publish(guest, there, events(3))
        member = guest.subscribe(taken)
        assert ids(drain(member, 3, done=True)) == [receipt.id for receipt in published]
        member.close()
    finally:
        guest.close()
