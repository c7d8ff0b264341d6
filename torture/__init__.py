"""Kill the real site at random moments while facilities publish, and count what was lost: `make torture`.

senders.py   publish without a pause, and write down what was acknowledged
site.py      the site as `make run` starts it, its processes by kind, and how to kill one
cluster.py   a PostgreSQL of its own, to be killed too
audit.py     afterwards: what the site holds, held against what was acknowledged
"""
