"""Helpers that know no configuration: errors, files, paths, progress, logging, processes."""
