"""DICOM's codes in words that a patient knows (PS3.3 §C.7.3.1.1.1, PS3.16 Annex L)."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from studies.models import Series, Study
from studies.refusals import SENTENCES

MODALITIES: dict[str, Promise] = {
    "CT": _("CT scan"),
    "MR": _("MRI scan"),
    "PT": _("PET scan"),
    "NM": _("nuclear medicine scan"),
    "CR": _("X-ray"),
    "DX": _("X-ray"),
    "RG": _("X-ray"),
    "MG": _("mammogram"),
    "US": _("ultrasound"),
    "IVUS": _("ultrasound of a vessel"),
    "XA": _("angiogram"),
    "RF": _("fluoroscopy"),
    "IO": _("dental X-ray"),
    "PX": _("dental X-ray"),
    "BMD": _("bone density scan"),
    "ES": _("endoscopy"),
    "XC": _("photograph"),
    "OP": _("eye photograph"),
    "OPT": _("eye scan"),
    "OCT": _("optical scan"),
    "GM": _("microscope picture"),
    "SM": _("microscope slide"),
    "ECG": _("heart recording (ECG)"),
    "RTIMAGE": _("radiotherapy picture"),
    "RTSTRUCT": _("radiotherapy outlines"),
    "RTPLAN": _("radiotherapy plan"),
    "RTDOSE": _("radiotherapy dose"),
    "RTRECORD": _("radiotherapy record"),
    "HD": _("heart recording (pressures)"),
    "EPS": _("heart recording (rhythm study)"),
    "EEG": _("brain wave recording (EEG)"),
    "EMG": _("muscle recording (EMG)"),
    "EOG": _("eye movement recording"),
    "RESP": _("breathing recording"),
    "AU": _("sound recording"),
    "M3D": _("3D model"),
    "OT": _("picture"),
    "SC": _("picture"),
    "SR": _("structured report"),
    "DOC": _("document"),
    "KO": _("list of marked pictures"),
    "PR": _("display settings"),
    "SEG": _("marked areas"),
    "REG": _("instructions to line pictures up"),
    "FID": _("points to line pictures up"),
    "RWV": _("table of measured values"),
    "ANN": _("marks on microscope pictures"),
    "PLAN": _("plan"),
}
# What a study is called after when it has several modalities: the first of these that it has.
LEADING = ("PT", "NM", *(code for code in MODALITIES if code not in ("PT", "NM")))

BODY_PARTS: dict[str, Promise] = {
    "ABDOMEN": _("the abdomen"),
    "ANKLE": _("the ankle"),
    "BRAIN": _("the brain"),
    "BREAST": _("the breast"),
    "CAROTID": _("the neck vessels"),
    "CHEST": _("the chest"),
    "CLAVICLE": _("the collarbone"),
    "COCCYX": _("the tailbone"),
    "CSPINE": _("the neck"),
    "ELBOW": _("the elbow"),
    "EXTREMITY": _("an arm or leg"),
    "EYE": _("the eye"),
    "FEMUR": _("the thigh"),
    "FINGER": _("a finger"),
    "FOOT": _("the foot"),
    "HAND": _("the hand"),
    "HEAD": _("the head"),
    "HEART": _("the heart"),
    "HIP": _("the hip"),
    "HUMERUS": _("the upper arm"),
    "JAW": _("the jaw"),
    "KIDNEY": _("the kidneys"),
    "KNEE": _("the knee"),
    "LEG": _("the leg"),
    "LIVER": _("the liver"),
    "LSPINE": _("the lower back"),
    "NECK": _("the neck"),
    "PELVIS": _("the pelvis"),
    "PROSTATE": _("the prostate"),
    "SHOULDER": _("the shoulder"),
    "SKULL": _("the skull"),
    "SPINE": _("the spine"),
    "THYROID": _("the thyroid"),
    "TOE": _("a toe"),
    "TSPINE": _("the upper back"),
    "UTERUS": _("the uterus"),
    "WHOLEBODY": _("the whole body"),
    "WRIST": _("the wrist"),
}

PLANES: dict[str, Promise] = {"axial": _("axial"), "coronal": _("coronal"), "sagittal": _("sagittal")}
SIDES: dict[str, Promise] = {"L": _("left"), "R": _("right"), "B": _("both sides")}

SOME, FIRST_FRAMES, UNREADABLE = "some", "first frames", "unreadable"
NOTES: dict[str, Promise] = {
    SOME: _("Some pictures of this series cannot be shown. The download has all of them."),
    FIRST_FRAMES: _("Only the first pictures of this long recording are shown. The download has all of them."),
}


def modality_words(code: str) -> str:
    """'CT' -> 'CT scan'; a code we do not know stays as it is, none is 'picture'."""
    return str(MODALITIES.get(code, code or MODALITIES["OT"]))


def kind_words(study: Study) -> str:
    """What kind of study it is, by its leading modality; PET and CT made together keep their common name."""
    codes = set(study.modalities)
    if {"PT", "CT"} <= codes:
        return gettext("PET/CT scan")
    known = next((code for code in LEADING if code in codes), "")
    return _capital(modality_words(known or next(iter(study.modalities), "" if study.image_count else "DOC")))


def title(study: Study) -> str:
    """The facility's own description, else our words: 'CT scan of the chest'."""
    if described := _tidy(study.description):
        return described
    part = BODY_PARTS.get(study.body_part.replace(" ", "").upper())
    if part is None:
        return kind_words(study)
    return gettext("%(kind)s of %(part)s") % {"kind": kind_words(study), "part": part}


def series_title(series: Series) -> str:
    """The facility's own description, else our words: 'Mammogram, left', 'CT scan, axial'."""
    if described := _tidy(series.description):
        return described
    side = str(SIDES.get(series.laterality, ""))
    named = [modality_words(series.modality), side, plane_words(series.plane)]
    return _capital(", ".join(word for word in named if word))


def plane_words(plane: str) -> str:
    """'axial' in the reader's language; '' for none."""
    return str(PLANES.get(plane, ""))


def sentence(code: str) -> str:
    """The sentence behind a note's code; '' for none."""
    if code in NOTES:
        return str(NOTES[code])
    return gettext(SENTENCES[code]) if code in SENTENCES else ""


def _tidy(text: str) -> str:
    """Scanner consoles write 'HEAD^ROUTINE' and 'T1_AX': read them as words."""
    return " ".join(text.replace("^", " ").replace("_", " ").split())


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
