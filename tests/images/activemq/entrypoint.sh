#!/bin/bash
# As in the official image: a user in the environment means that every client has to say who it is.
set -euo pipefail

done=$ACTIVEMQ_CONF/connection.security.enabled
if [[ -n ${ACTIVEMQ_CONNECTION_USER:-} && ! -f $done ]]; then
  printf 'activemq.%s\n' "username=$ACTIVEMQ_CONNECTION_USER" "password=${ACTIVEMQ_CONNECTION_PASSWORD:-}" >"$ACTIVEMQ_CONF/credentials.properties"
  user='<authenticationUser username="${activemq.username}" password="${activemq.password}"/>'
  plugin="<plugins><simpleAuthenticationPlugin><users>$user</users></simpleAuthenticationPlugin></plugins>"
  sed -i "s|</broker>|$plugin</broker>|" "$ACTIVEMQ_CONF/activemq.xml"
  touch "$done"
fi

exec "$@"
