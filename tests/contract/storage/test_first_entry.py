"""Whether a destination holds something already: asked before an export, so that two are never mixed."""

from __future__ import annotations

from pathlib import Path

from ddbio.aws.settings import AwsSettings
from ddbio.storage import open_storage
from tests.support.places import Place, S3Place


def test_an_empty_destination_has_no_entry(place: Place) -> None:
    assert place.storage().first_entry(place.uri) is None


def test_an_entry_is_named(place: Place) -> None:
    place.put("Orders-0000-00000.json", b"{}\n")
    assert place.storage().first_entry(place.uri) == "Orders-0000-00000.json"


def test_a_neighbour_whose_name_begins_the_same_is_no_entry(s3_place: S3Place) -> None:
    s3_place.put("orders-old/Orders-0000-00000.json", b"{}\n")
    assert s3_place.storage().first_entry(f"{s3_place.uri}/orders") is None


def test_hidden_names_do_not_count_on_disk(tmp_path: Path) -> None:
    (tmp_path / ".keep").touch()
    assert open_storage(str(tmp_path), AwsSettings()).first_entry(str(tmp_path)) is None
