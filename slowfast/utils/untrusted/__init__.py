"""Files that strangers made: pickles and tensor files are read here, and nothing in them is run."""
