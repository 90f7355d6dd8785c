"""The frame store: encoded frames of video datasets, with or without labels, which are written once for random access.

A `Source` lists and reads the videos of a dataset. `prepare_frames` checks them and writes the store on this machine,
`prepare_on_beam` on a cluster. `analogy.data.prepared.PreparedClips` reads the store.
"""

from data_prep.frame_store.prepare import prepare_frames, prepare_on_beam
from data_prep.frame_store.source import Checked, Problem, Source

__all__ = ["Checked", "Problem", "Source", "prepare_frames", "prepare_on_beam"]
