"""CS231n's package of assignment 2, as far as its fully connected nets go."""
