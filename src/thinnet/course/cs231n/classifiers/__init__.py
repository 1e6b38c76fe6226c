"""The course's classifiers."""
