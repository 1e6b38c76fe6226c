"""Images and tables on disk become a `Dataset`."""
