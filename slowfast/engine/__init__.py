"""Training, evaluation and testing: one loop, methods that hold the maths, hooks for what is optional."""
