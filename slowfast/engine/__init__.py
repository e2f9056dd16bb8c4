"""Training, evaluation and testing: one loop, steps that hold the maths, hooks for everything else."""
