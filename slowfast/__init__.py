"""Nightcrawler: recognising human actions in unlabelled dark video."""

__version__ = "0.1.0"
