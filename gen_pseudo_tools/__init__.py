"""Tools that make pseudo-labels."""
