"""Charades: videos with any number of actions each, clips as regions, and the mAP over videos."""
