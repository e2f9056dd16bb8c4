"""Pure functions on whole clips: gamma, geometry, augmentation, mixing. Randomness comes in as a generator."""
