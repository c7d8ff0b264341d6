"""Why a file cannot be read or shown: a code for programs, one plain sentence for people.

Nothing is imported here: the web process uses the table without a decoder, the sandbox without Django. The sentences
are English message ids, which a page translates (`words.sentence`). None of them ever carries a value from a file.
"""

from __future__ import annotations


def _(sentence: str) -> str:
    """Mark a sentence to be translated, as Django's `gettext_noop` does."""
    return sentence


SENTENCES: dict[str, str] = {
    # What the object is, when it is not a picture.
    "video": _("This is a video. Download it to watch it."),
    "video mpeg2": _("This is a video (MPEG-2). Download it to watch it in a free DICOM viewer."),
    "video h264": _("This is a video (MPEG-4, H.264). Download it to watch it in a free DICOM viewer."),
    "video h265": _("This is a video (H.265). Download it to watch it in a free DICOM viewer."),
    "pdf": _("This is a PDF document. Read it under Report, or download it."),
    "document": _("This is a written document. Read it under Report, or download it."),
    "3d model": _("This is a 3D model, made to be printed or turned around. Download it to open it in a 3D program."),
    "sr": _("This is a structured report, not a picture. Read it under Report, or download it."),
    "waveform": _("This is a recording of signals over time, such as an ECG. Download it to see it."),
    "sound": _("This is a sound recording. Download it to listen to it in a DICOM program."),
    "segmentation": _("This marks areas on other pictures. Download it to see it in a DICOM program."),
    "surfaces": _("This holds the surfaces of body parts, worked out from the pictures. A 3D program shows them."),
    "nerve paths": _("This holds the paths of nerve fibers, worked out from the pictures. Special programs show them."),
    "annotations": _("This holds marks made on microscope pictures. Special software shows them."),
    "presentation": _("This describes how to display other pictures. It has no picture of its own."),
    "presentation alone": _("This describes how to display pictures that are not part of this exam."),
    "registration": _("This tells a computer how to lay two sets of pictures over each other. It has no picture."),
    "points": _("This holds points that a computer uses to line pictures up. It has no picture."),
    "value mapping": _("This tells a computer how to turn shades of grey into measured values. It has no picture."),
    "spectroscopy": _("This is a chemical measurement made with MRI, as curves. Special software draws them."),
    "raw": _("This is raw data from the scanner, from which the pictures were made. It has no picture itself."),
    "eye measurements": _("These are measurements of the eyes, in numbers. Download them for your eye doctor."),
    "implant": _("This describes an implant, for planning an operation. It has no picture."),
    "protocol": _("This holds the settings of a machine or a screen. It has no picture."),
    "assessment": _("This is a check of the quality of other pictures. It has no picture."),
    "rt": _("This is part of the planning of radiotherapy, made for the treatment team's software."),
    "rt dose": _("This is a map of the dose planned for radiotherapy, made for the treatment team's software."),
    "rt structures": _("These are outlines drawn to plan radiotherapy, made for the treatment team's software."),
    "rt plan": _("This is a plan for radiotherapy, made for the treatment team's software."),
    "rt record": _("This records radiotherapy that was given, made for the treatment team's software."),
    "slide": _("This is a whole microscope slide, far larger than a screen. Download it for slide software."),
    "key objects": _("This is a list of pictures somebody marked as important. It has no picture of its own."),
    "private": _("This file is in a format of the machine's maker. There is no picture in it. Download it to keep it."),
    "other": _("There is no picture in this file. Download it to keep it."),
    # What is wrong with it, when it should have been one.
    "not dicom": _("This file is not DICOM. Ask the facility to send it again."),
    "unreadable": _("This file is damaged and could not be read. Ask the facility to send it again."),
    "no preview": _("No preview could be made of this file. Download it to see it."),
    "incomplete": _("Part of this picture is missing. Ask the facility to send it again."),
    "contradiction": _("The picture and its description disagree, so it is not shown. Download it to keep it."),
    "no such frame": _("There is no picture with this number in the file. Open the first one."),
    "codec": _("This picture is compressed in a way that cannot be shown here. Download it to see it."),
    "pixels": _("This picture is stored in a way that cannot be shown here. Download it to see it."),
    "too large": _("This picture is too large to be shown here. Download it to see it."),
    "bomb": _("This file unpacks to far more than it should, so it was not opened. Ask the facility about it."),
    # Why the pages of a document are not shown as pictures.
    "locked": _("This document is locked with a password. Download it and open it with the password."),
    "many pages": _("This document has too many pages to be shown here. Download it to read it."),
    "not drawn": _("This document cannot be shown here. Download it to read it."),
    "no such page": _("There is no page with this number in the document. Open the first one."),
}

FOR_SENDERS: dict[str, str] = {
    # A facility that publishes is told what it can do about a file itself.
    "not dicom": "A file is not DICOM. Send DICOM objects as they are in a PS3.10 file.",
    "unreadable": "A file is damaged and could not be read. Export it anew and send it again.",
    "bomb": "A file unpacks to far more than it should, so it was not opened. Export it without deflating it.",
}


class Refusal(Exception):
    """A file cannot be read or shown for a reason in `SENTENCES`."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.sentence = SENTENCES[code]
        super().__init__(self.sentence)

    @property
    def for_sender(self) -> str:
        """The sentence for the facility that is sending the file."""
        return FOR_SENDERS.get(self.code, self.sentence)


class NotReadable(Refusal):
    """The bytes are not a DICOM data set we can read."""


class CannotShow(Refusal):
    """The data set is fine, or at least readable, but no picture can be made of it."""
