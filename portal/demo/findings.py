"""What the demo's facility wrote about its phantoms: reports as text and as PDF."""

from __future__ import annotations

import io
from xml.sax.saxutils import escape

from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.lib.units import mm
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer


def _text(*paragraphs: str) -> str:
    return "\n\n".join(paragraphs)


SIGNED = "Dr Ada Fernsby, radiologist"

CT_CHEST = _text(
    "CT OF THE CHEST WITH CONTRAST",
    "Phantom: these are computed pictures of a body that never lived.",
    "Reason: cough for six weeks.",
    "FINDINGS\nA round nodule of 13 mm lies in the upper part of the right lung, with a smooth edge; it was 8 mm in "
    "the earlier CT. No other nodules. "
    "The airways are open. No fluid around the lungs. The heart is of normal size, and the large vessels fill evenly. "
    "No enlarged lymph nodes. Liver, spleen and bones show nothing unusual.",
    "IMPRESSION\n1. A single nodule in the right upper lobe. A follow-up CT in three months is recommended.\n"
    "2. Otherwise a normal examination.",
    SIGNED,
)

CT_CHEST_BEFORE = _text(
    "CT OF THE CHEST WITH CONTRAST",
    "Phantom: these are computed pictures of a body that never lived.",
    "Reason: a shadow in a chest X-ray made elsewhere.",
    "FINDINGS\nA round nodule of 8 mm lies in the upper part of the right lung. No other nodules. "
    "No enlarged lymph nodes.",
    "IMPRESSION\nA single nodule in the right upper lobe. A follow-up CT in six months is recommended.",
    SIGNED,
)

CHEST_XRAY = _text(
    "X-RAY OF THE CHEST, FROM THE FRONT",
    "Phantom: this is a computed picture of a body that never lived.",
    "FINDINGS\nThe lungs are clear. The heart is of normal size. The ribs and collarbones are whole.",
    "IMPRESSION\nA normal chest.",
    SIGNED,
)

MAMMOGRAM = (
    "MAMMOGRAM OF BOTH BREASTS",
    "Phantom: these are computed pictures of a body that never lived.",
    "FINDINGS\nScattered glandular tissue on both sides (density B). A few round, harmless calcifications. No mass.",
)
MAMMOGRAM_FINAL = _text(*MAMMOGRAM, "IMPRESSION\nNothing suspicious (BI-RADS 2). Next screening in one year.", SIGNED)
MAMMOGRAM_AMENDED = _text(
    *MAMMOGRAM,
    "IMPRESSION\nNothing suspicious (BI-RADS 2). Next screening in two years.",
    "AMENDED\nThe time to the next screening was corrected from one year to two.",
    SIGNED,
)

HEART = _text(
    "ULTRASOUND OF THE HEART",
    "Phantom: these are computed pictures of a heart that never beat.",
    "FINDINGS\nAll four chambers are of normal size. The left ventricle contracts well. The valves open and close "
    "completely.",
    "IMPRESSION\nA normal heart.",
    SIGNED,
)

MR_HEAD = [
    "Phantom: these are computed pictures of a head that never thought.",
    "<b>Reason.</b> Headaches for some months.",
    "<b>Technique.</b> Axial T1 and T2, sagittal T1, without contrast.",
    "<b>Findings.</b> The brain has a normal shape and size. The ventricles are symmetrical and of normal width. No "
    "bleeding, no mass, no area of abnormal signal. The pituitary gland, the cerebellum and the brain stem show "
    "nothing unusual. The sinuses are free.",
    "<b>Impression.</b> A normal examination of the head.",
    SIGNED,
]


def pdf(title: str, subtitle: str, paragraphs: list[str]) -> bytes:
    """A letter of one page; the same words give the same bytes."""
    content, styles = io.BytesIO(), getSampleStyleSheet()
    margin = 24 * mm
    letter = SimpleDocTemplate(
        content, pagesize=A4, title=title, author="Lakeside Imaging", invariant=1,
        leftMargin=margin, rightMargin=margin, topMargin=margin, bottomMargin=margin,
    )  # fmt: skip
    body = styles["BodyText"]
    body.fontSize, body.leading, body.spaceAfter = 11, 16, 8
    letter.build([
        Paragraph(escape(title), styles["Title"]),
        Paragraph(escape(subtitle), body),
        Spacer(1, 8 * mm),
        *(Paragraph(text, body) for text in paragraphs),
    ])  # fmt: skip
    return content.getvalue()
