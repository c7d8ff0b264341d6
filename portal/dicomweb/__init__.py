"""DICOMweb for whoever may look: QIDO-RS and WADO-RS through the one door (PS3.18 §10.4, §10.6).

`scope` finds what a viewer may see by UIDs, `accepting` understands what she can read, `matching` (in `studies`)
searches, and the views stream. A POST is a facility's and goes to `studies.api`.
"""
