"""Which of the frequent kinds of exam this is, by what its headers say; only the modality where that is not sure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from studies.exam.places import named, places, signs, tidied

XRAY: Final = frozenset({"CR", "DX", "RG"})
BELLY: Final = frozenset({"abdomen", "pelvis"})
LIMBS: Final = frozenset({"joint", "limb"})
BONES: Final = LIMBS | {"hip"}

# What a study is, before anything is known of the part of the body, by the first of these that it has.
_BY_MODALITY: Final = (
    (("MG",), "mammogram"),
    (("NM",), "nuclear"),
    (("CT",), "ct"),
    (("MR",), "mr"),
    (("XA",), "angiogram"),
    (("RF",), "fluoroscopy"),
    (("US", "IVUS"), "us"),
    (("BMD",), "bone density"),
    (("IO", "PX"), "xray teeth"),
    (("CR", "DX", "RG"), "xray"),
    (("ES",), "endoscopy"),
    (("OP", "OPT"), "eye"),
    (("SM", "GM"), "microscope"),
    (("ECG",), "ecg"),
)

_BY_SIGN: Final = {
    "mammogram": ("slices", "tomosynthesis"),
    "nuclear": ("bone scan", "bone scan"),
    "": ("bone density", "bone density"),
}


@dataclass(frozen=True)
class Said:
    """What the headers of a study say of its kind, the surest first: the order, codes and body parts, the console."""

    modalities: Collection[str]
    ordered: Iterable[str] = ()  # study description, requested procedure
    parts: Iterable[str] = ()  # Body Part Examined, names and values of anatomic region codes
    console: Iterable[str] = ()  # series descriptions, protocol names


def kind(said: Said) -> str:
    """A key of `telling.TOLD`; '' for a study of which nothing is known."""
    modality = _modality(set(said.modalities))
    texts = _texts(said)
    everything = signs(" | ".join(texts))
    if "tool" in everything:  # pictures made while somebody works, or of what was taken out
        return modality
    telling = next((text for text in texts if places(text) or signs(text)), "")
    where, what = places(telling), signs(telling)
    if by_part := _BY_PART.get(modality):
        return by_part(where, what)
    sign, finer = _BY_SIGN.get(modality, ("", ""))
    return finer if sign in everything else modality


def _modality(codes: set[str]) -> str:
    if "PT" in codes:
        return "pet ct" if "CT" in codes else "pet"
    return next((kind for wanted, kind in _BY_MODALITY if codes.intersection(wanted)), "")


def _texts(said: Said) -> list[str]:
    parts = [part for code in said.parts for part in (code, named(code))]
    return [tidied(texts) for texts in (said.ordered, parts, said.console)]


def _ct(where: frozenset[str], what: frozenset[str]) -> str:
    if "angio" in what:
        return "ct angiogram"
    if where and where <= BELLY:
        return "ct abdomen"
    if "chest" in where and where - BELLY == {"chest"}:
        return "ct body" if where & BELLY else "ct chest"
    return {frozenset({"head"}): "ct head", frozenset({"spine"}): "ct spine"}.get(where, "ct")


def _mr(where: frozenset[str], what: frozenset[str]) -> str:
    if "angio" in what:
        return "mr angiogram"
    if where & {"joint", "hip"} and where <= BONES | {"pelvis"}:
        return "mr joint"
    if where and where <= BELLY:
        return "mr abdomen"
    return {
        frozenset({"head"}): "mr brain",
        frozenset({"spine"}): "mr spine",
        frozenset({"breast"}): "mr breast",
    }.get(where, "mr")


def _us(where: frozenset[str], what: frozenset[str]) -> str:
    if "pregnancy" in what:
        return "us" if "gynecology" in what else "us pregnancy"
    if where == {"heart"} or ("echo" in what and where <= {"heart", "chest"}):
        return "echocardiogram"
    if "abdomen" in where and where <= BELLY:
        return "us abdomen"
    return "us vessels" if "vessels" in what and not where - LIMBS - {"neck"} else "us"


def _xray(where: frozenset[str], what: frozenset[str]) -> str:
    if "bone density" in what:
        return "bone density"
    if where == {"chest"}:
        return "xray chest"
    if where == {"spine"}:
        return "xray spine"
    if where and where <= LIMBS:
        return "xray limb"
    if where and where <= BONES | {"pelvis"}:
        return "xray bone"
    return {frozenset({"abdomen"}): "xray abdomen", frozenset({"teeth"}): "xray teeth"}.get(where, "xray")


_BY_PART: Final = {"ct": _ct, "mr": _mr, "us": _us, "xray": _xray}
