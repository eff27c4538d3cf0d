"""What events say: the value language of bodies, keys and headers. Pure and seeded; knows no sketch and no channel."""
