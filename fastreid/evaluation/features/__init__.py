"""Features of a test set: in memory, on disk, and from several processes."""
