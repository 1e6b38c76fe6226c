"""Products of matrices: one protocol, and a file for each library that computes them; `choose` says which."""
