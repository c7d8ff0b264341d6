from __future__ import annotations

import pytest
from django.utils import translation

from studies import words
from studies.models import Series, Study
from studies.refusals import SENTENCES


@pytest.mark.parametrize(
    ("modalities", "kind"),
    [
        (["CT"], "CT scan"),
        (["CR"], "X-ray"),
        (["MG", "SR"], "Mammogram"),
        (["CT", "PT"], "PET/CT scan"),
        (["KO", "MR", "PR"], "MRI scan"),
        (["SR"], "Structured report"),
        (["ZZ"], "ZZ"),
        ([], "Document"),
    ],
)
def test_a_study_is_called_after_its_leading_modality(modalities: list[str], kind: str) -> None:
    assert words.kind_words(Study(modalities=modalities)) == kind


@pytest.mark.parametrize(
    ("study", "title"),
    [
        (Study(description="CT CHEST W/O CONTRAST", modalities=["CT"]), "CT CHEST W/O CONTRAST"),
        (Study(description="HEAD^ROUTINE_2 ", modalities=["CT"]), "HEAD ROUTINE 2"),
        (Study(body_part="CHEST", modalities=["CT"]), "CT scan of the chest"),
        (Study(body_part="Whole Body", modalities=["MR"]), "MRI scan of the whole body"),
        (Study(body_part="TURBINATE", modalities=["CT"]), "CT scan"),
        (Study(image_count=1), "Picture"),
        (Study(), "Document"),
    ],
)
def test_a_study_has_a_title_in_any_case(study: Study, title: str) -> None:
    assert words.title(study) == title


@pytest.mark.parametrize(
    ("series", "title"),
    [
        (Series(description="AX_T1 FLAIR", modality="MR"), "AX T1 FLAIR"),
        (Series(modality="MG", laterality="L"), "Mammogram, left"),
        (Series(modality="CT", plane="axial"), "CT scan, axial"),
        (Series(), "Picture"),
    ],
)
def test_a_series_has_a_title_in_any_case(series: Series, title: str) -> None:
    assert words.series_title(series) == title


def test_every_note_has_a_sentence() -> None:
    for code in [*SENTENCES, *words.NOTES]:
        assert words.sentence(code).endswith(".")
    assert words.sentence("") == ""
    assert words.sentence("no such code") == ""


def test_words_are_looked_up_in_the_readers_language() -> None:
    with translation.override("de"):
        assert isinstance(words.modality_words("CT"), str)


def test_a_note_is_read_in_the_readers_language() -> None:
    with translation.override("es"):
        assert words.sentence("video") == "Esto es un vídeo. Descárguelo para verlo."
