"""eda: sketch event-driven systems in YAML, run them locally and watch the events flow."""

__version__ = "0.1.0"
