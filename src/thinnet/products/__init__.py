"""Matrix products: one protocol, and one file for each library that computes them; `choose` picks one."""
