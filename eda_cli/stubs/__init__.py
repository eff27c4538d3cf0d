"""Who speaks: what runs inside each spawned process. Knows the resolved sketch and a channel, no process but its own."""
