"""OHIF, the viewer that physicians know, as files beside the site (MIT; https://ohif.org).

`package` fetches what its makers published, `preparing` makes it fit to be served from here, `views` opens it. All of
it may be missing: then our own viewer opens instead.
"""
