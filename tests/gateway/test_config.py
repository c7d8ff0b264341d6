"""One file, and what is wrong with it in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import Misconfigured, Peer, load

GOOD = """
[portal]
url = "https://images.example.org"
key_file = "/etc/lightbox/key"

[spool]
folder = "/var/lib/lightbox"

[[peers]]
ae_title = "PACS"
host = "10.0.0.5"
port = 104
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text(text)
    return path


def test_a_short_file_is_enough(tmp_path: Path) -> None:
    config = load(written(tmp_path, GOOD))
    assert config.portal.url == "https://images.example.org"
    assert (config.dicom.ae_title, config.dicom.port, config.spool.keep_days) == ("LIGHTBOX", 11112, 7)
    assert config.peer("PACS") == Peer("PACS", "10.0.0.5", 104)
    assert config.peer("OTHER") is None


def test_the_example_of_the_documentation_can_be_read(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text()
    example = page.partition("```toml\n")[2].partition("```")[0]
    assert load(written(tmp_path, example)).peers


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("https://images", "http://images"), "must begin with https://"),
        (("[spool]", "[spoon]"), "a section [spoon], which nobody knows"),
        (("[spool]\nfolder", "[dicom]\nae_title"), "no section [spool]"),
        (("key_file", "key"), "[portal] says key, which nobody knows"),
        (('key_file = "/etc/lightbox/key"', ""), "[portal] must say key_file"),
        (("port = 104", 'port = "104"'), "[peers] port cannot be '104': it is a number"),
        (("port = 104", "port = -1"), "it is a number"),
        (('"PACS"', '"A PACS OF SEVENTEEN"'), "is no AE title"),
        (('"PACS"', '""'), "is no AE title"),
        (("[[peers]]", '[dicom]\ncertificate = "c"\n[[peers]]'), "certificate and private_key belong together"),
        (("[[peers]]", '[dicom]\npeers_ca = "c"\n[[peers]]'), "needs its own as well"),
        (('[[peers]]\nae_title = "PACS"\nhost = "10.0.0.5"\nport = 104\n', ""), "Nobody may send"),
        (("[portal]", "[portal"), "is not TOML"),
    ],
)
def test_what_cannot_be_is_said_with_what_to_write(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    assert change[0] in GOOD
    with pytest.raises(Misconfigured) as error:
        load(written(tmp_path, GOOD.replace(*change)))
    assert words in str(error.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read"):
        load(tmp_path / "none.toml")


def test_a_portal_on_this_machine_needs_no_https(tmp_path: Path) -> None:
    assert load(written(tmp_path, GOOD.replace("https://images.example.org", "http://127.0.0.1:8000")))


def test_a_new_key_counts_at_once(tmp_path: Path) -> None:
    key = tmp_path / "key"
    config = load(written(tmp_path, GOOD.replace("/etc/lightbox/key", str(key))))
    with pytest.raises(Misconfigured, match="cannot be read"):
        _ = config.portal.key
    for said in ("one", "two"):
        key.write_text(f"{said}\n")
        assert config.portal.key == said
