"""Backup and restore of database and object store. Knows no room.

A backup is a folder:

    manifest.json        what belongs to it, with sizes and SHA-256; written last
    databases/TIME/…     the databases as they were at one moment
    objects/ab/abcdef…   the bytes of everything in the object store, by SHA-256

Nothing in it ever changes: a further backup into the same folder adds files and then puts a new
manifest in place of the old one. Ended half-way, it leaves the backup before it as it was.
"""
