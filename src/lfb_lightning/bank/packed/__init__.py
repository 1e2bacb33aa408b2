"""Packed banks: many videos in few immutable files, with one index, on a disk or in an object store.

    <bank_dir>/<split>/00000-<digest>.shard   the videos' bank files one after another, a footer that lists them, checksums
    <bank_dir>/<split>/index-<digest>.idx     where each video lies
    <bank_dir>/<split>/manifest.json          as of any bank, and which index; written last

docs/packed_banks.md has the layout byte by byte.
"""
