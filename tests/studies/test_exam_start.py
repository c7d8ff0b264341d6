"""Which series is begun with, among series as scanners name them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from studies.exam.starting import is_worth_saying, start


@dataclass(frozen=True)
class Series:
    title: str
    modality: str = "CT"
    plane: str = "axial"
    count: int = 60


def mr(title: str, plane: str = "axial", count: int = 30) -> Series:
    return Series(title, "MR", plane, count)


@pytest.mark.parametrize(
    ("series", "chosen"),
    [
        # Nothing to aim by, nothing to read
        ([Series("Topogram 0.6", plane="coronal", count=1), Series("Thorax 5.0 Br40")], "Thorax 5.0 Br40"),
        ([Series("Scout", count=2), Series("Dose Report", count=1), Series("ABD/PEL W")], "ABD/PEL W"),
        ([Series("PreMonitoring"), Series("Monitoring", count=20), Series("Venous 3.0")], "Venous 3.0"),
        ([mr("3-plane localizer", "", 9), mr("AX T1")], "AX T1"),
        ([Series("Localizador", count=2), Series("Tórax mediastino")], "Tórax mediastino"),
        ([Series("Patient Protocol", count=1), Series("Head 4.0")], "Head 4.0"),
        # Across the body, in the usual brightness
        ([Series("Coronal", plane="coronal"), Series("Axial, soft tissue")], "Axial, soft tissue"),
        ([Series("Axial, lung"), Series("Axial, soft tissue")], "Axial, soft tissue"),
        ([Series("BONE 1.25"), Series("STANDARD 2.5")], "STANDARD 2.5"),
        ([Series("Lung 5.0 B70f"), Series("Thorax 5.0 B31f")], "Thorax 5.0 B31f"),
        # Not the thin ones, not what was computed
        ([Series("Thorax 0.6", count=600), Series("Thorax 5.0", count=70)], "Thorax 5.0"),
        ([Series("MIP AX"), Series("AX 3.0")], "AX 3.0"),
        ([Series("VRT", plane=""), Series("CTA Aorta 1.0", count=500)], "CTA Aorta 1.0"),
        ([mr("ep2d_diff_ADC"), mr("ep2d diff TRACEW"), mr("t2 tse tra")], "t2 tse tra"),
        ([mr("SWI"), mr("AX FLAIR"), mr("AX T1")], "AX FLAIR"),
        # With contrast
        ([Series("ABD nativ"), Series("ABD venous")], "ABD venous"),
        ([mr("AX T2 pre"), mr("AX T2 POST GAD")], "AX T2 POST GAD"),
        # Of the machine that the exam is named after
        ([Series("CT WB", count=300), Series("PET WB", "PT", count=280)], "PET WB"),
        # Where nothing speaks for one, the facility's order
        ([Series("Right CC", "MG", "", 1), Series("Left CC", "MG", "", 1)], "Right CC"),
        ([Series("Cine 1", "US", "", 40), Series("Cine 2", "US", "", 60)], "Cine 1"),
        ([Series("A"), Series("B")], "A"),
        ([mr("SAG T2", "sagittal"), mr("SAG T1", "sagittal")], "SAG T2"),
        # Whatever else, something
        ([Series("Scout", count=1)], "Scout"),
        ([Series("Report", count=0), Series("Scout", count=1)], "Scout"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_series_to_begin_with(series: list[Series], chosen: str) -> None:
    found = start(series)
    assert found is not None
    assert found.title == chosen


def test_without_pictures_there_is_none() -> None:
    assert start([]) is None
    assert start([Series("Report", count=0)]) is None


@pytest.mark.parametrize(
    ("series", "said"),
    [
        ([Series("A"), Series("B")], True),
        ([Series("A")], False),
        ([Series("A"), Series("Report", count=0)], False),
        ([Series("R", "DX", "", 1), Series("L", "DX", "", 1)], False),
    ],
)
def test_it_is_said_only_where_there_is_a_choice(series: list[Series], said: bool) -> None:
    assert is_worth_saying(series) is said
