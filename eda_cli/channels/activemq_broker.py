"""How an ActiveMQ Classic broker is run from its official image. Knows no engine, and imports no library."""

from __future__ import annotations

import re

from eda_cli.channels import activemq_greeting
from eda_cli.channels.containers_model import LOCALHOST, Spec

PORT = 61613
HOME = "/opt/apache-activemq"
DATA = f"{HOME}/data"
CONFIG = f"{HOME}/conf/eda.xml"  # beside the image's own, which its entrypoint rewrites
MEMORY = "1g"

_TAG = re.compile(r"(?:^|/)activemq(?:-classic)?:(\d+\.\d+(?:\.\d+)?)")

# One port for STOMP and OpenWire: programs in Java join in there too. Group by group, what differs from the defaults:
# - a message leaves a queue only by being done: none is given up by the broker, none expires to another queue;
# - so many messages of a queue may be with its members, not done: by default 200, whatever they ask for;
# - groups of messages are kept by the hash of their key: the default forgets all but 1,024 keys, and their order;
# - statistics tell how far each group is; JMX and the web console, which nobody could reach, are left out.
# - a queue has little of the memory, and is on disk beyond 70 % of it: else two that nobody empties would fill all of it
#   together, and nobody could publish or hear anything. Only a full disk blocks publishers, who say so.
_CONFIG = f"""<beans xmlns="http://www.springframework.org/schema/beans" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="http://www.springframework.org/schema/beans http://www.springframework.org/schema/beans/spring-beans.xsd
    http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">
  <broker xmlns="http://activemq.apache.org/schema/core" brokerName="eda" useJmx="false" schedulerSupport="false"
      dataDirectory="{DATA}">
    <destinationInterceptors>
      <virtualDestinationInterceptor>
        <virtualDestinations><virtualTopic name="VirtualTopic.&gt;" prefix="Consumer.*."/></virtualDestinations>
      </virtualDestinationInterceptor>
    </destinationInterceptors>
    <destinationPolicy>
      <policyMap>
        <policyEntries>
          <policyEntry queue="&gt;" expireMessagesPeriod="0" maxPageSize="3000" memoryLimit="12 mb" producerFlowControl="false">
            <deadLetterStrategy><sharedDeadLetterStrategy processExpired="false"/></deadLetterStrategy>
            <messageGroupMapFactory><messageGroupHashBucketFactory bucketCount="1024"/></messageGroupMapFactory>
          </policyEntry>
        </policyEntries>
      </policyMap>
    </destinationPolicy>
    <persistenceAdapter><kahaDB directory="{DATA}/kahadb"/></persistenceAdapter>
    <systemUsage>
      <systemUsage><memoryUsage><memoryUsage limit="192 mb"/></memoryUsage></systemUsage>
    </systemUsage>
    <plugins><statisticsBrokerPlugin/></plugins>
    <transportConnectors>
      <transportConnector name="all" uri="auto://0.0.0.0:{PORT}?transport.tcpNoDelay=true&amp;wireFormat.maxFrameSize=104857600"/>
    </transportConnectors>
  </broker>
</beans>
"""


def spec(run: str, run_id: str, image: str, port: int | None) -> Spec:
    """The container of a run's broker. `port` None prefers 61613."""
    return Spec(run=run, run_id=run_id, role="broker", image=image, inside=PORT, prefers=PORT, port=port, data=DATA,
                memory=MEMORY, environment=lambda name, host_port: {"ACTIVEMQ_OPTS": "-Xms64M -Xmx512M"},
                command=["activemq", "console", f"xbean:file:{CONFIG}"], files={CONFIG: _CONFIG.encode()})


def address(name: str, port: int) -> dict[str, str]:
    """Where clients find it: programs on this machine, and containers on the run's network."""
    return {"channel": "activemq", "at": f"stomp://{LOCALHOST}:{port}", "internal": f"stomp://{name}:{PORT}"}


def version(image: str) -> str | None:
    """As the tag of the image tells it; None where it tells nothing."""
    tag = _TAG.search(image)
    return f"ActiveMQ {tag[1]}" if tag else None


def answers(port: int) -> bool:
    """Whether the broker published on this port takes clients."""
    try:
        activemq_greeting.greet(LOCALHOST, port, {})
    except (OSError, activemq_greeting.Unwelcome):
        return False
    return True
