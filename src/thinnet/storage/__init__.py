"""Atomic files, checksums, checkpoints, and locks on folders."""
