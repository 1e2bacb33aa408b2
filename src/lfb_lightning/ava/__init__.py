"""AVA's own files: label map, annotations, excluded timestamps, proposals and result csv.

Names are in the modules: the readers of plain csv need neither torch nor what comes with it.
"""
