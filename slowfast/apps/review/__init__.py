"""A local page on which a person confirms, corrects or rejects pseudo-labels."""
