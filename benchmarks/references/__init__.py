"""The ways that reference implementations do it, written anew from descriptions of their algorithms, to be timed beside ours."""
