"""OHIF: what its makers published and nothing else, fit to be served from here, over what a viewer may see."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from portal.ohif import installed, package, views
from portal.ohif.installed import Entry
from portal.ohif.preparing import AT_ROOT, AT_SCRIPT, FONTS_AT_ROOT, SCRIPTS_AT_ROOT, Unfit, prepare
from sharing import grants
from studies import intake, pipeline
from tests import factories
from tests.cast import Cast
from tests.portal.published import Published, publish_for
from tests.studies.documents_made import pdf_object, radiology_report

ENTRY = Entry("/ohif/1/app.bundle.1.js", "/ohif/1/app.bundle.css")


def tarball(folder: Path, files: dict[str, bytes]) -> Path:
    """A package as npm packs it."""
    path = folder / "app.tgz"
    with tarfile.open(path, "w:gz") as package:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            package.addfile(member, io.BytesIO(content))
    return path


def as_built(scripts: int = SCRIPTS_AT_ROOT, fonts: int = FONTS_AT_ROOT, entries: int = 1) -> dict[str, bytes]:
    """The files that matter, as OHIF is built."""
    made = {f"dist/{number}.bundle.js": b"var a = 1;\n// said\n" + AT_ROOT for number in range(scripts)}
    made |= {f"dist/app.bundle.{number}.js": b"a  =  2;" for number in range(entries)}
    made["dist/app.bundle.css"] = b"a{b:url(/0a1b.woff2)}" * fonts + b"c{d:url(/img.png)}" + b" " * 2000
    return {**made, "LICENSE": b"MIT", "dist/deep/0a1b.woff2": b"font", "package.json": b"{}"}


def test_it_is_made_fit(tmp_path: Path) -> None:
    more = {"dist/sw.js": b"elsewhere", "dist/ort/huge.wasm": b"", "dist/a.js.map": b"", "dist/../../out.js": b""}
    prepare(tarball(tmp_path, {**as_built(), **more}), tmp_path / "made" / "1")
    made = tmp_path / "made" / "1"
    names = {path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()}
    assert names >= {"LICENSE", "deep/0a1b.woff2", "app.bundle.0.js", "app.bundle.css", "app.bundle.css.gz"}
    assert not names & {"sw.js", "ort/huge.wasm", "a.js.map", "package.json", "out.js"}
    assert not list(tmp_path.rglob("out.js"))
    script = (made / "0.bundle.js").read_bytes()
    assert AT_ROOT not in script
    assert b"document.currentScript" in script
    assert b"// said" not in script
    style = (made / "app.bundle.css").read_bytes()
    assert style.count(b"url(0a1b.woff2)") == FONTS_AT_ROOT
    assert b"url(/img.png)" in style
    assert gzip.decompress((made / "app.bundle.css.gz").read_bytes()) == style
    assert json.loads((made / "lightbox.json").read_text()) == {"script": "app.bundle.0.js", "style": "app.bundle.css"}
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["1"]


@pytest.mark.parametrize(
    "files",
    [
        as_built(scripts=SCRIPTS_AT_ROOT - 1),
        as_built(scripts=SCRIPTS_AT_ROOT + 1),
        as_built(fonts=4),
        as_built(entries=2),
    ],
)
def test_one_that_is_built_otherwise_is_no_blank_page_but_an_error(tmp_path: Path, files: dict[str, bytes]) -> None:
    with pytest.raises(Unfit):
        prepare(tarball(tmp_path, files), tmp_path / "made" / "1")
    assert list((tmp_path / "made").iterdir()) == []


def test_the_place_of_a_script_is_where_it_came_from() -> None:
    assert AT_SCRIPT.count(b"currentScript") == 2, "on a page"
    assert b"self.location.href" in AT_SCRIPT, "in a worker"


def test_what_is_not_as_it_was_published_is_refused(tmp_path: Path) -> None:
    path = tarball(tmp_path, as_built())
    with pytest.raises(package.NotFetched, match="digest"), package.fetched(path):
        pass
    with pytest.raises(package.NotFetched, match="cannot be read"), package.fetched(tmp_path / "none"):
        pass


def test_without_npm_and_internet_the_command_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(installed, "entry", lambda: None)
    monkeypatch.setattr("shutil.which", lambda _name: str(tmp_path / "npm"))
    with pytest.raises(CommandError, match="npm did not answer"):
        call_command("ohif")
    (tmp_path / "npm").write_text("#!/bin/sh\necho no such host >&2; exit 1\n")
    (tmp_path / "npm").chmod(0o755)
    with pytest.raises(CommandError, match="--from FILE"):
        call_command("ohif")


# --- the page


@pytest.fixture
def published(cast: Cast, tmp_path: Path, settings: Settings) -> Published:
    settings.OBJECT_STORE_URL = (tmp_path / "store").as_uri()
    return publish_for(cast)


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "entry", lambda: ENTRY)


@pytest.fixture
def maria(client: Client, cast: Cast) -> Client:
    client.force_login(cast.maria)
    return client


def test_it_opens_the_study_that_was_asked_for(maria: Client, published: Published, there: None) -> None:
    uid = published.study.study_uid
    answer = maria.get("/viewer/", {"StudyInstanceUIDs": uid})
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/viewer/viewer?StudyInstanceUIDs={uid}")
    page = maria.get(answer.headers["Location"])
    assert page.status_code == 200
    html = page.content.decode()
    assert f'src="{ENTRY.script}"' in html
    assert f'data-report="/studies/{published.study.pk}/report/"' in html
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self' 'wasm-unsafe-eval';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "<script>" not in html


def test_where_it_is_not_installed_our_own_viewer_opens(
    maria: Client, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installed, "entry", lambda: None)
    answer = maria.get("/viewer/", {"StudyInstanceUIDs": published.study.study_uid})
    assert answer.headers["Location"] == f"/studies/{published.study.pk}/view/"
    assert views.address(published.study) == ""


def test_a_study_of_ones_own_address_is_that_one(maria: Client, published: Published, there: None) -> None:
    page = maria.get(views.address(published.study))
    assert f'data-base="/viewer/of/{published.study.pk}"' in page.content.decode()


@pytest.mark.parametrize("uid", ["", "x", "1.2.3", "../../etc"])
def test_what_is_not_there_is_not_found(maria: Client, published: Published, there: None, uid: str) -> None:
    assert maria.get("/viewer/", {"StudyInstanceUIDs": uid}).status_code == 404
    assert maria.get("/viewer/viewer", {"StudyInstanceUIDs": uid}).status_code == 404


def test_other_addresses_below_are_nothing(maria: Client, published: Published, there: None) -> None:
    assert maria.get("/viewer/elsewhere", {"StudyInstanceUIDs": published.study.study_uid}).status_code == 404


def test_its_series_are_pictures_alone(maria: Client, cast: Cast, published: Published) -> None:
    published.study.series.update(modality="PR")
    uid = published.study.study_uid
    assert len(maria.get(f"/dicom-web/studies/{uid}/series").json()) == 1
    assert maria.get(f"/viewer/dicom-web/studies/{uid}/series").json() == []


def whose() -> dict[str, Any]:
    return {one.keyword: one.value for one in factories.whose()}


def test_a_pdf_is_among_its_series_and_no_other_document(client: Client, cast: Cast, published: Published) -> None:
    """For who may read it: whoever was lent the pictures alone is told of these."""
    study = published.study
    hers: dict[str, Any] = {"StudyInstanceUID": study.study_uid, "PatientID": "PUB-1", **whose()}
    letter = pdf_object(SeriesInstanceUID=factories.uid(9, 7), SOPInstanceUID=factories.uid(9, 7, 1), **hers)
    report = radiology_report(SeriesInstanceUID=factories.uid(9, 8), SOPInstanceUID=factories.uid(9, 8, 1), **hers)
    assert len(intake.publish(cast.lakeside, [[letter], [report]]).stored) == 2
    pipeline.advance(study.pk, at_once=True)
    ends: dict[str, Any] = {"expires_at": timezone.now() + timedelta(days=1), "way": "page"}
    grants.grant(cast.maria, studies=[study.pk], email=cast.lee.email, rights=["view"], **ends)
    for who, modalities in ((cast.maria, ["CT", "DOC"]), (cast.lee, ["CT"])):
        client.force_login(who)
        rows = client.get(f"/viewer/dicom-web/studies/{study.study_uid}/series").json()
        assert sorted(row["00080060"]["Value"][0] for row in rows) == modalities


def test_the_end_of_access_has_a_page(client: Client, db: None) -> None:
    assert "not shown any more" in client.get("/viewer/ended/").content.decode()
