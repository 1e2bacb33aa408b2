"""AVA's file formats: label map, annotations, excluded timestamps, proposals and result csv.

Names are imported from the modules: the readers of plain csv need neither torch nor what comes with it.
"""
