"""The gateway: a small program on a facility's network that takes what its machines send and publishes it.

It speaks DICOM inside and HTTPS outside, knows no Django and no database server, and loses nothing on the way.
"""
