"""Tables of systems, measured alike: runs, predictions of others, and trivial baselines; one table for each protocol."""
