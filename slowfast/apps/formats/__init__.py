"""Labels from and to other tools: one file a format, each a reader and a writer of the same neutral clips."""
