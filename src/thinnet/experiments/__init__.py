"""Named experiments, each a small file that reads like the sentence it tests."""
