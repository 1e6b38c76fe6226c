"""What the solver does in a step and after an epoch, a file each."""
