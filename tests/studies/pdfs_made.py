"""PDF documents made for tests."""

from __future__ import annotations

from io import BytesIO

from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

pdfmetrics.registerFont(UnicodeCIDFont("HeiseiMin-W3"))  # a name only: it is not in the document
pdfmetrics.registerFont(TTFont("Vera", "Vera.ttf"))  # brought along

HELVETICA = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"


def by_hand(catalog: bytes, content: bytes, resources: bytes, *others: bytes) -> bytes:
    """A PDF of one page as its maker would never write it; `others` are objects 5, 6, ..."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R" + catalog + b">>",
        b"<</Type/Pages/Count 1/Kids[3 0 R]>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 50 20]/Contents 4 0 R/Resources<<" + resources + b">>>>",
        _stream(content),
        *others,
    ]
    written = b"".join(b"%d 0 obj%s endobj\n" % (number, said) for number, said in enumerate(objects, 1))
    return b"%PDF-1.4\n" + written + b"trailer<</Root 1 0 R>>\n"


def _stream(content: bytes, entries: bytes = b"") -> bytes:
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (entries, len(content), content)


def _copier(number: int) -> bytes:
    """A form that draws the next one ten times."""
    form = b"/Type/XObject/Subtype/Form/BBox[0 0 50 20]/Resources<</XObject<</X %d 0 R>>>>" % (number + 1)
    return _stream(b"/X Do " * 10, form)


SCRIPTED = by_hand(
    rb"/OpenAction<</S/JavaScript/JS(while \(true\) app.alert\('mine now'\))>>",
    b"BT /F 9 Tf 9 9 Td (Clear) Tj ET",
    b"/Font<</F 5 0 R>>",
    HELVETICA,
)
# Acrobat's own forms: the page says "please wait", a script would draw the rest.
PLEASE_WAIT = by_hand(b"/NeedsRendering true/AcroForm<</Fields[]/XFA 5 0 R>>", b"", b"", _stream(b"<xdp/>"))
# A page that draws ten things which draw ten things, and so on: 10 to the power of 12.
ENDLESS = by_hand(b"", b"/X Do", b"/XObject<</X 5 0 R>>", *map(_copier, range(5, 17)), _stream(b"0 0 m 9 9 l S"))


def pdf(
    *pages: str,
    size: tuple[float, float] = A4,
    font: str = "Helvetica",
    filled_in: str = "",
    photograph: bool = False,
    lock: StandardEncryption | None = None,
) -> bytes:
    """A PDF with a page for each text; `filled_in` into a form, and a photograph, on each page if wanted."""
    out = BytesIO()
    canvas = Canvas(out, pagesize=size, invariant=1, encrypt=lock)
    for number, page in enumerate(pages):
        canvas.setFont(font, 12)
        for line, text in enumerate(page.split("\n")):
            canvas.drawString(60, size[1] - 60 - 16 * line, text)
        if filled_in:
            canvas.acroForm.textfield(value=filled_in, name=f"f{number}", x=60, y=60, width=300, height=20)
        if photograph:
            canvas.drawImage(ImageReader(_photograph()), 0, 0, size[0], size[1] / 2)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def _photograph() -> Image.Image:
    """Something of many colours."""
    ramp = Image.linear_gradient("L")
    return Image.merge("RGB", (ramp, ramp.rotate(90), ramp.rotate(180)))
