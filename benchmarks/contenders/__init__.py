"""One file for each contender: ``build(job)`` gives a function that takes one whole training step."""
