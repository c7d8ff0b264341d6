"""Backups: a folder that holds a site as it was on several days, and how a site is made of it again.

    objects/ab/<id>.lbx         sealed objects as they are in the store; each is copied once, for they never change
    snapshots/<day and time>/
        database                SQLite's own copy, or PostgreSQL's custom dump
        objects.txt             every object that the database names: id, size in bytes, SHA-256
        keys.sealed             the site's keys, sealed with a passphrase (`vault`)
        manifest.json           sizes and SHA-256 of the three; a snapshot is whole when it stands here
    erased.json                 patients who were shredded, and when: a restore erases them again

The database comes first and the objects after it: what it names is stored by then. A snapshot is made beside and
renamed into its place, so a backup that was interrupted is no backup, and the next one sweeps it away.
"""
