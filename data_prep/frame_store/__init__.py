"""The frame store: encoded frames of any video dataset, with or without labels, prepared once for random access.

A `Source` says which videos there are and reads them; `prepare_frames` checks and writes them on this machine,
`prepare_on_beam` on a cluster; `analogy.data.prepared.PreparedClips` reads what they wrote.
"""

from data_prep.frame_store.prepare import prepare_frames, prepare_on_beam
from data_prep.frame_store.source import Checked, Problem, Source

__all__ = ["Checked", "Problem", "Source", "prepare_frames", "prepare_on_beam"]
