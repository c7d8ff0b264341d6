"""Places of the body and kinds of procedure in what consoles and clerks write: English, Spanish, German, abbreviated.

"CT ABD/PEL W", "TAC TÓRAX", "RX MUÑECA IZQ", "LWS in 2 Ebenen", and SNOMED's codes. Whoever finds nothing, or too
much, says less: a wrong place would frighten, a missing one only leaves a general sentence.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

# Words of each place, matched from the beginning of a word; "$" asks for its end, "~" is a space, a hyphen or nothing.
# Spines come first: what they match is taken out, so that "thoracic spine" says nothing of a chest.
_WORDS: Final[dict[str, str]] = {
    "spine": "[CTL]S?~SPINE (CERVICAL|THORACIC|SACRAL)~SPINE SPINE SPINAL "
    "VERTEBRA LUMBAR LUMBO LENDEN LWS$ BWS$ HWS$ [A-Z]{3,}WIRBELS WIRBEL "
    "COLUMNA(~(CERVICAL|DORSAL|LUMBAR|TORACICA|VERTEBRAL))* RAQUIS SACRUM SACRO COCCY KREUZBEIN "
    "STEISSBEIN SCOLIOSIS ESCOLIOSIS SKOLIOSE CERVICAL$ THORACOLUMBAR TSPINE CSPINE LSPINE LSSPINE SSPINE",
    "teeth": "DENTAL DENTA$ TOOTH TEETH ORTHOPANTO ORTOPANTO OPG$ OPT$ PANOREX PANORAMI BITEWING PERIAPICAL ZAHN "
    "ZAEHNE ZAHNE DIENTE MAXILAR MANDIB UNTERKIEFER OBERKIEFER JAW CEPHALOMETR",
    "head": "HEAD SKULL BRAIN CEREBR CRANI CRANEO CABEZA ENCEFAL ENCEPHAL NEURO KOPF SCHADEL SCHAEDEL HIRN GEHIRN "
    "PITUITAR HIPOFIS HYPOPHYS CCT$ IAC$ INTRACRAN STROKE ICTUS",
    "face": "FACE FACIAL SINUS SENOS NNH$ ORBIT NASAL NASEN TEMPORAL PETROUS MASTOID FELSENBEIN TMJ$ KIEFERGELENK",
    "neck": "NECK CUELLO HALS THYROID TIROID SCHILDDR SOFT~TISSUE~NECK LARYN PAROTI",
    "heart": "HEART CARDIAC CARDIO CORONAR CORAZON HERZ KORONAR CALCIUM~SCOR MYOCARD",
    "chest": "CHEST THORA TORAX TORAC LUNG PULMON PULMO CXR$ PECHO CHST$ TAP$ CAP$ C/A/P$",
    "breast": "BREAST MAMMO MAMA$ MAMAS$ MAMOG MAMMA BRUST SENOLOG",
    "abdomen": "ABD BELLY VIENTRE BAUCH OBERBAUCH UNTERBAUCH LIVER HEPAT LEBER HIGADO KIDNEY RENAL NIERE "
    "RINON KUB$ UROGRA UROTC$ UROTAC$ PANCREA PANKREA GALLBLADDER GALLEN VESICULA BILIAR SPLEEN BAZO MILZ MRCP$ "
    "RUQ$ BOWEL ENTERO COLONO APPENDI APENDI STONE$ CT~A/P$ TAP$ CAP$ C/A/P$ STOMACH GASTR",
    "pelvis": "PELVI BECKEN CT~A/P$ PEL$ TAP$ CAP$ C/A/P$ PROSTAT UTERUS UTERO OVAR BLADDER VEJIGA BLASE RECTUM RECTAL "
    "RECTO",
    "hip": "HIP$ HIPS$ CADERA HUFT HUEFT RIB$ RIBS$ COSTIL PARRILLA RIPPE STERN ESTERN CLAVIC SCHLUSSELBEIN "
    "SCAPUL ESCAPUL",
    "joint": "KNEE RODILLA KNIE SHOULDER HOMBRO SCHULTER WRIST MUNECA HANDGELENK ELBOW CODO ELLENBOGEN ELLBOGEN ANKLE "
    "TOBILLO OSG$ USG$ SPRUNGGELENK PATELLA MENISC",
    "limb": "HAND MANO$ MANOS$ FINGER DEDO THUMB PULGAR DAUMEN FOOT FEET FUSS PIE$ PIES$ TOE$ TOES$ ZEHE VORFUSS "
    "FOREFOOT HEEL CALCAN KALKAN FERSE TALON FOREARM ANTEBRAZO UNTERARM HUMER HUMERO OBERARM UPPER~ARM RADIUS ULNA "
    "SCAPHOID ESCAFOIDES FEMUR OBERSCHENKEL MUSLO THIGH TIBIA FIBULA PERONE LOWER~LEG UNTERSCHENKEL PIERNA LEG$ LEGS$ "
    "EXTREMI TIB/?FIB METATARS METACARP MITTELHAND MITTELFUSS",
    "whole body": "WHOLE~BODY GANZKORPER GANZKOERPER CUERPO~ENTERO CUERPO~COMPLETO SKULL~BASE~TO~MID",
}
_SIGNS: Final[dict[str, str]] = {
    "angio": "CTA$ MRA$ MRV$ CTV$ CTPA$ ANGIO ARTERI PE~PROTOCOL PULMONARY~EMBOL TOF$ AORTO RUNOFF TEP$ TAVI",
    "pregnancy": "OBSTET OBST$ PREGN EMBARAZO GESTA SCHWANGER FETAL FETUS FOETAL TRIMEST TRIMENON NUCHAL MORFOLOG OB$",
    "gynecology": "GYN",
    "echo": "ECHO$ TTE$ TEE$ ETT$ ETE$ ECHOCARD ECHOKARD ECOCARD HERZECHO HERZULTRA UKG$",
    "vessels": "DOPPLER DUPLEX CAROTI KAROTI VENOUS VENOS VENEN VENA DVT$ TVP$ TVT$ ARTERIAL VASCULAR VASKULAR EVLT$",
    "bone scan": "BONE~SCAN BONE~SCINT SKELET GAMMAGRAFIA~OSEA OSEA OSSEA KNOCHENSZ SKELETTSZ WHOLE~BODY~BONE WB~BONE",
    "bone density": "DEXA DXA$ BONE~DENS BONE~MINERAL DENSITOM OSTEODENS KNOCHENDICHTE OSTEOPOROS BMD$ HIP/SPINE~DENS",
    "slices": "TOMOSYN TOMOSIN DBT$ TOMO$ 3D$",
    "tool": "BIOPS PUNKTION PUNCION STEREO SPECIMEN PRAPARAT PRAEPARAT PIEZA GUIDED GUIADA DRAIN DRENAJE "
    "ABLATION LOCALI[SZ] WIRE$ ARPON GESTEUERT INTERVENT",
}


def _pattern(words: str) -> re.Pattern[str]:
    parts = [re.sub(r"\$$", "(?![A-Z0-9])", word).replace("~", "[ -]?") for word in words.split()]
    return re.compile(f"(?<![A-Z0-9])(?:{'|'.join(parts)})")


_PLACES: Final = {place: _pattern(words) for place, words in _WORDS.items()}
_KINDS: Final = {sign: _pattern(words) for sign, words in _SIGNS.items()}

# SNOMED CT and, behind it, SNOMED RT (PS3.16 CID 4031): what they say goes through the words above.
_CODES: Final[dict[str, str]] = {
    "818981001 113345001 T-D4000": "ABDOMEN",
    "416949008 R-FAB57": "ABDOMEN PELVIS",
    "70258002 T-15750": "ANKLE",
    "12738006 T-A0100": "BRAIN",
    "76752008 T-04000": "BREAST",
    "122494005 T-11501": "CSPINE",
    "51185008 43799004 T-D3000": "CHEST",
    "416550000 R-FAB55": "CHEST ABDOMEN",
    "416775004 R-FAB56": "CHEST ABDOMEN PELVIS",
    "16953009 127949000 T-15430": "ELBOW",
    "38266002 T-D0010": "WHOLE BODY",
    "66019005 T-D0300": "EXTREMITY",
    "71341001 T-12710": "FEMUR",
    "7569003 T-D8800": "FINGER",
    "56459004 T-D9700": "FOOT",
    "14975008 T-D8500": "FOREARM",
    "85562004 T-D8700": "HAND",
    "69536005 T-D1100": "HEAD",
    "80891009 T-32000": "HEART",
    "29836001 24136001 T-D2500 T-15710": "HIP",
    "85050009 T-12410": "HUMERUS",
    "661005 T-D1213": "JAW",
    "64033007 T-71000": "KIDNEY",
    "72696002 T-D9200": "KNEE",
    "10200004 T-62000": "LIVER",
    "30021000 T-D9400": "LOWER LEG",
    "122496007 T-11503": "LSPINE",
    "45048000 T-D1600": "NECK",
    "12921003 816092008 T-D6000": "PELVIS",
    "113197003 T-11300": "RIB",
    "16982005 31398001 T-D2220 T-15410": "SHOULDER",
    "89546000 T-11100": "SKULL",
    "421060004 T-11500": "SPINE",
    "122495006 T-11502": "TSPINE",
    "69748006 T-B6000": "THYROID",
    "74670003 T-15460": "WRIST",
}
_SAID_BY: Final = {code: words for codes, words in _CODES.items() for code in codes.split()}


def tidied(texts: Iterable[str]) -> str:
    """Capitals without accents, one space between words; "ß" is "SS", "Ü" is "U"."""
    joined = " | ".join(text for text in texts if text).upper().replace("ß", "SS")
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", joined) if not unicodedata.combining(letter))
    return re.sub(r"[\s_.,;:^()]+", " ", plain)


def named(code: str) -> str:
    """'51185008' -> 'CHEST'; '' for a code that is not in the table."""
    return _SAID_BY.get(code, "")


def places(text: str) -> frozenset[str]:
    """The places of the body that a tidied text names."""
    spine = _PLACES["spine"]
    rest = spine.sub(" ", text)
    found = {place for place, words in _PLACES.items() if place != "spine" and words.search(rest)}
    return frozenset(found | ({"spine"} if spine.search(text) else set()))


def signs(text: str) -> frozenset[str]:
    """What else a tidied text says of the procedure: keys of `_SIGNS`."""
    return frozenset(sign for sign, words in _KINDS.items() if words.search(text))
