"""Pictures, videos, plots and pages of a run. They are made from arrays and files; nothing here depends on training."""
