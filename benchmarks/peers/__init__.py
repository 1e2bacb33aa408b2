"""The ways that peers do it, written anew from descriptions of their algorithms, to be timed beside ours."""
