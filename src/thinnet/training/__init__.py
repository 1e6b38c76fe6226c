"""The parts of the solver: what it does in each step and after each epoch."""
