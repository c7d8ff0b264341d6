"""What an exam is taken for, by descriptions as consoles and clerks write them."""

from __future__ import annotations

import pytest

from studies.exam.recognising import Said, kind


@pytest.mark.parametrize(
    ("modality", "description", "found"),
    [
        # X-ray
        ("CR", "CXR", "xray chest"),
        ("DX", "XR CHEST 2 VIEWS", "xray chest"),
        ("DX", "CHEST A/P PORTABLE", "xray chest"),
        ("CR", "Rx tórax PA y lateral", "xray chest"),
        ("DX", "Röntgen Thorax in 2 Ebenen", "xray chest"),
        ("CR", "Thoraxaufnahme im Liegen", "xray chest"),
        ("CR", "WRIST LT", "xray limb"),
        ("DX", "XR KNEE 3 VW RIGHT", "xray limb"),
        ("DX", "RX MUÑECA IZQ", "xray limb"),
        ("CR", "Rodilla AP y L", "xray limb"),
        ("DX", "Handgelenk links 2 Eb.", "xray limb"),
        ("CR", "OSG re", "xray limb"),
        ("DX", "FUSS DP/SCHRÄG", "xray limb"),
        ("DX", "XR TIB/FIB LEFT", "xray limb"),
        ("CR", "HIP 2V W PELVIS RT", "xray bone"),
        ("DX", "Beckenübersicht", "xray bone"),
        ("DX", "RX CADERA DCHA", "xray bone"),
        ("DX", "RIBS LEFT", "xray bone"),
        ("DX", "LWS in 2 Ebenen", "xray spine"),
        ("CR", "C-SPINE AP/LAT", "xray spine"),
        ("DX", "XR SPINE LUMBAR 2-3 VIEWS", "xray spine"),
        ("DX", "THORACIC SPINE", "xray spine"),
        ("CR", "Columna dorsal AP y L", "xray spine"),
        ("CR", "Halswirbelsäule", "xray spine"),
        ("DX", "KUB", "xray abdomen"),
        ("CR", "ABDOMEN SUPINE", "xray abdomen"),
        ("CR", "Rx simple de abdomen", "xray abdomen"),
        ("DX", "Abdomen Linksseitenlage", "xray abdomen"),
        ("PX", "", "xray teeth"),
        ("IO", "BITEWING", "xray teeth"),
        ("DX", "OPG", "xray teeth"),
        ("CR", "Ortopantomografía", "xray teeth"),
        ("CR", "CHEST AND RIBS", "xray"),
        ("CR", "Chest/Abdomen infant", "xray"),
        ("CR", "SKULL 2 VIEWS", "xray"),
        ("DX", "", "xray"),
        # mammogram
        ("MG", "MAMMO SCREENING BILATERAL", "mammogram"),
        ("MG", "Mamografía bilateral", "mammogram"),
        ("MG", "MAM TOMOSYNTHESIS SCREEN BI", "tomosynthesis"),
        ("MG", "Mammographie DBT beidseits", "tomosynthesis"),
        ("MG", "STEREOTACTIC BIOPSY LT", "mammogram"),
        # ultrasound
        ("US", "US ABDOMEN COMPLETE", "us abdomen"),
        ("US", "Ecografía abdominal", "us abdomen"),
        ("US", "Oberbauchsonographie", "us abdomen"),
        ("US", "US RENAL", "us abdomen"),
        ("US", "OB > 14 WKS", "us pregnancy"),
        ("US", "US OBSTETRIC 1ST TRIMESTER", "us pregnancy"),
        ("US", "Ecografía obstétrica", "us pregnancy"),
        ("US", "Schwangerschaft 20. SSW", "us pregnancy"),
        ("US", "OB/GYN", "us"),
        ("US", "PELVIC TRANSVAGINAL", "us"),
        ("US", "ECHO TTE COMPLETE", "echocardiogram"),
        ("US", "Ecocardiograma transtorácico", "echocardiogram"),
        ("US", "Echokardiographie", "echocardiogram"),
        ("US", "Adult Echo", "echocardiogram"),
        ("US", "DUPLEX CAROTID BILAT", "us vessels"),
        ("US", "VENOUS DOPPLER LEG LT (DVT)", "us vessels"),
        ("US", "Schilddrüse", "us"),
        ("US", "US GUIDED BIOPSY LIVER", "us"),
        ("US", "Echo abdominale", "us abdomen"),
        # CT
        ("CT", "CT HEAD W/O CONTRAST", "ct head"),
        ("CT", "HEAD^ROUTINE", "ct head"),
        ("CT", "CCT nativ", "ct head"),
        ("CT", "TAC CRÁNEO SIN CONTRASTE", "ct head"),
        ("CT", "Schädel-CT", "ct head"),
        ("CT", "CT CHEST W/O CONTRAST", "ct chest"),
        ("CT", "Low dose lung screening", "ct chest"),
        ("CT", "TC de tórax", "ct chest"),
        ("CT", "CT ABD/PEL W", "ct abdomen"),
        ("CT", "CT ABDOMEN PELVIS W CONTRAST", "ct abdomen"),
        ("CT", "TAC abdomino-pélvico", "ct abdomen"),
        ("CT", "CT Abdomen KM", "ct abdomen"),
        ("CT", "CT STONE PROTOCOL", "ct abdomen"),
        ("CT", "CT CAP W CON", "ct body"),
        ("CT", "CT Thorax/Abdomen", "ct body"),
        ("CT", "CT CHEST ABDOMEN PELVIS", "ct body"),
        ("CT", "CTA CHEST PE PROTOCOL", "ct angiogram"),
        ("CT", "CT ANGIO HEAD AND NECK", "ct angiogram"),
        ("CT", "AngioTAC de aorta", "ct angiogram"),
        ("CT", "CT LUMBAR SPINE", "ct spine"),
        ("CT", "CT HWS", "ct spine"),
        ("CT", "CT HEAD AND C-SPINE", "ct"),
        ("CT", "CT SINUS", "ct"),
        ("CT", "CT NECK SOFT TISSUE", "ct"),
        ("CT", "CT GUIDED DRAINAGE ABDOMEN", "ct"),
        ("CT", "", "ct"),
        # MRI
        ("MR", "MRI BRAIN WO/W CONTRAST", "mr brain"),
        ("MR", "MRT Schädel", "mr brain"),
        ("MR", "RM cerebral", "mr brain"),
        ("MR", "MR LUMBAR SPINE", "mr spine"),
        ("MR", "LWS", "mr spine"),
        ("MR", "RM columna lumbar", "mr spine"),
        ("MR", "MRI KNEE RT WO", "mr joint"),
        ("MR", "MRT Schulter links", "mr joint"),
        ("MR", "RM de rodilla", "mr joint"),
        ("MR", "MRI HIP", "mr joint"),
        ("MR", "MRI ABDOMEN MRCP", "mr abdomen"),
        ("MR", "MR PROSTATE", "mr abdomen"),
        ("MR", "BREAST MRI BILATERAL", "mr breast"),
        ("MR", "MRA HEAD TOF", "mr angiogram"),
        ("MR", "MRI THIGH", "mr"),
        ("MR", "MRI BRAIN AND CERVICAL SPINE", "mr"),
        # the others
        ("NM", "NM BONE SCAN WHOLE BODY", "bone scan"),
        ("NM", "Skelettszintigraphie", "bone scan"),
        ("NM", "Gammagrafía ósea", "bone scan"),
        ("NM", "HIDA SCAN", "nuclear"),
        ("BMD", "", "bone density"),
        ("DX", "DEXA BONE DENSITY", "bone density"),
        ("OT", "Densitometría ósea", "bone density"),
        ("XA", "Coronary angiography", "angiogram"),
        ("RF", "BARIUM SWALLOW", "fluoroscopy"),
        ("ES", "Colonoscopy", "endoscopy"),
        ("ECG", "", "ecg"),
        ("OT", "", ""),
        ("OT", "something scanned", ""),
    ],
)
def test_an_exam_is_known_by_its_description(modality: str, description: str, found: str) -> None:
    assert kind(Said({modality}, [description])) == found


def test_pet_and_ct_are_one_exam() -> None:
    assert kind(Said({"CT", "PT"}, ["PET SKULL BASE TO MID-THIGH"])) == "pet ct"
    assert kind(Said({"PT", "MR"}, ["PET/MR"])) == "pet"


def test_what_was_ordered_counts_for_more_than_what_the_console_was_set_to() -> None:
    assert kind(Said({"CT"}, ["CT head"], ["ABDOMEN"], ["Thorax routine"])) == "ct head"
    assert kind(Said({"CT"}, ["Trauma"], ["ABDOMEN"], ["Thorax routine"])) == "ct abdomen"
    assert kind(Said({"CT"}, ["Trauma"], [], ["Thorax routine"])) == "ct chest"


def test_parts_of_several_series_are_all_there() -> None:
    assert kind(Said({"CT"}, [], ["CHEST", "ABDOMEN"])) == "ct body"
    assert kind(Said({"DX"}, [], ["HAND", "CHEST"])) == "xray"


@pytest.mark.parametrize(
    ("modality", "code", "found"),
    [
        ("DX", "51185008", "xray chest"),
        ("CR", "T-D3000", "xray chest"),
        ("MR", "72696002", "mr joint"),
        ("CT", "416949008", "ct abdomen"),
        ("CT", "R-FAB56", "ct body"),
        ("MR", "12738006", "mr brain"),
        ("CT", "000", "ct"),
    ],
)
def test_a_part_may_be_said_by_a_code(modality: str, code: str, found: str) -> None:
    assert kind(Said({modality}, [], [code])) == found


@pytest.mark.parametrize("part", ["CSPINE", "TSPINE", "LSPINE", "SPINE", "SSPINE", "COCCYX"])
def test_every_part_of_the_spine_is_the_spine(part: str) -> None:
    assert kind(Said({"DX"}, [], [part])) == "xray spine"
