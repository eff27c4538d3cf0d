"""What eda costs, beside loops that a person would write by hand: `python -m bench`."""
