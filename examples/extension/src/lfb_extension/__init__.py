"""A backbone, a feature bank operator, a loss and a data set for lfb-lightning, each the shortest that works."""
