"""Actions in a live picture: a ring of frames, a ring of bank rows, decisions every second."""
