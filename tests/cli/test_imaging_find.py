"""``xinglin imaging find`` from a DICOM folder to its files, with a detector of the test's own."""

from __future__ import annotations

import json
from pathlib import Path

import pydicom
import pytest
import typer
from typer.testing import CliRunner

from tests.apps.imaging.synthetic import Geometry, Sphere, brightest, write_series
from xinglin.apps.imaging.measured import Algorithm
from xinglin.cli import imaging_detector
from xinglin.cli.imaging_find import find
from xinglin.errors import InvalidInputError
from xinglin.ledger import entries, verify
from xinglin.store import open_store

SMALL = Geometry(shape=(24, 48, 48))
SPHERES = [Sphere((22.0, -128.0, 312.0), 9.0)]


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    monkeypatch.setattr(
        imaging_detector, "load_detector", lambda *_, **__: (brightest, Algorithm("blob", "1.0"))
    )
    made = typer.Typer()
    made.command("find")(find)
    made.command("other")(lambda: None)
    return made


def test_all_products_in_one_run(app: typer.Typer, tmp_path: Path) -> None:
    folder = write_series(tmp_path / "ct", SPHERES, SMALL)
    out = tmp_path / "out"
    out.mkdir()
    arguments = ["find", str(folder), "--sr", str(out / "sr.dcm"), "--seg", str(out / "seg.dcm")]
    arguments += ["--key-images", str(out / "key"), "--fhir", str(out / "fhir.json"), "--screening"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "影像所见" in done.output
    assert "Lung-RADS" in done.output
    assert "未经注册" in done.output
    assert pydicom.dcmread(out / "sr.dcm").Modality == "SR"
    assert pydicom.dcmread(out / "seg.dcm").Modality == "SEG"
    assert [path.name for path in sorted((out / "key").iterdir())] == ["nodule-001.dcm"]
    assert json.loads((out / "fhir.json").read_text())["resourceType"] == "Bundle"
    store = open_store()
    with store.read() as connection:
        verify(connection)
        noted = list(entries(connection))
    assert [entry.action for entry in noted] == ["imaging.find", "imaging.write"]
    assert len(noted[1].detail["files"]) == 4
    assert noted[0].detail["nodules"] == 1
    header = pydicom.dcmread(next(folder.iterdir()))
    assert header.SeriesInstanceUID not in str(noted)
    assert header.PatientID not in str(noted)


def test_json_and_a_file_that_names_no_modality(app: typer.Typer, tmp_path: Path) -> None:
    import nibabel
    import numpy as np

    image = nibabel.Nifti1Image(np.full((12, 12, 12), -860, np.int16), np.eye(4))
    image.header.set_xyzt_units("mm")
    nibabel.save(image, tmp_path / "a.nii.gz")
    refused = CliRunner().invoke(app, ["find", str(tmp_path / "a.nii.gz")])
    assert isinstance(refused.exception, InvalidInputError)
    done = CliRunner().invoke(app, ["find", str(tmp_path / "a.nii.gz"), "--stated", "CT", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["nodules"] == []
    assert told["negative"] is None
    assert "不等于阴性" in told["notes"][0]["zh"]
