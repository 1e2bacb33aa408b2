"""EPIC-Kitchens 55 and 100: segments with a verb and a noun each, clips as regions, and the accuracy over segments."""
