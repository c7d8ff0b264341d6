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
    "pdf": _("This is a PDF document. Read it under Report, or download it."),
    "document": _("This is a document. Download it to read it."),
    "sr": _("This is a structured report, not a picture. Read it under Report, or download it."),
    "waveform": _("This is a recording of signals, such as an ECG, not a picture. Download it to see it."),
    "segmentation": _("This marks areas on other pictures. Special software is needed to see it."),
    "presentation": _("This describes how to display other pictures. It has no picture of its own."),
    "rt": _("This is radiotherapy planning. Special software is needed to see it."),
    "key objects": _("This is a list of pictures somebody marked as important. It has no picture of its own."),
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
