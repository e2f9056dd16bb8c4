"""Feature sequences of long videos: windows slide over the frames, each gives a pooled feature and probabilities."""
