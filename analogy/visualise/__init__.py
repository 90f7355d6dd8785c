"""Pictures, clips, plots and pages of a run. A leaf: it takes arrays and files, and knows nothing of training."""
