"""Named experiments: each is a small file that reads like the sentence it tests."""
