"""AVA's own files: label map, annotations, excluded timestamps, proposals and result csv."""

from lfb_lightning.ava.annotations import Annotations, read_annotations, write_annotations
from lfb_lightning.ava.excluded import read_excluded
from lfb_lightning.ava.label_map import LabelMap, read_label_map
from lfb_lightning.ava.proposals import ProposalTable, read_proposals
from lfb_lightning.ava.results import write_results

__all__ = [
    "Annotations",
    "LabelMap",
    "ProposalTable",
    "read_annotations",
    "read_excluded",
    "read_label_map",
    "read_proposals",
    "write_annotations",
    "write_results",
]
