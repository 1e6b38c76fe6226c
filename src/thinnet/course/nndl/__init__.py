"""UCLA ECE C247's package `nndl`; what ``p`` means in it changed over the years."""
