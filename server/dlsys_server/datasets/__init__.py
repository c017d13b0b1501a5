"""Dataset manager (box B): versions, snapshots, chunks."""
