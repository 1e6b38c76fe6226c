"""UCLA ECE C247's package `nndl`: its dialect, in which ``p`` is the probability of keeping."""
