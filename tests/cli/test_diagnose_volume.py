"""``xinglin diagnose --volume``: words, values and a CT of one patient, one differential."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.apps.imaging.real_windows import real_windows
from xinglin.cli.main import app
from xinglin.errors import InvalidInputError
from xinglin.ledger import entries, verify
from xinglin.model.vision.images import hounsfield
from xinglin.store import open_store

sitk = pytest.importorskip("SimpleITK")
RECORD = {
    "text": "男,63岁,咳嗽2个月,痰中带血,消瘦,吸烟40年",
    "labs": [{"name": "癌胚抗原", "value": 12.0, "unit": "ng/mL"}],
}


@pytest.fixture(scope="module")
def files(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real window with a nodule of the validation scans, as a volume file, and a record."""
    window = real_windows(data, "1", 2)[1]
    folder = tmp_path_factory.mktemp("patient")
    image = sitk.GetImageFromArray(hounsfield(window).astype(np.int16))
    image.SetOrigin((10.0, -20.0, 30.0))
    sitk.WriteImage(image, str(folder / "window.mha"))
    (folder / "record.json").write_text(json.dumps(RECORD), encoding="utf-8")
    return folder


def run(files: Path, *more: str) -> dict[str, object]:
    arguments = ["diagnose", "--record", str(files / "record.json"), "--engine", "graph", "--json", *more]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output + repr(done.exception)
    return dict(json.loads(done.output))


def test_a_real_window_moves_the_differential_by_its_measured_ratio(files: Path) -> None:
    volume = ["--volume", str(files / "window.mha"), "--stated", "CT"]
    plain, seen, agreed = run(files), run(files, *volume), run(files, *volume, "--confirm", "1")
    image = seen["image"]
    assert image["counted"] == "ratio"
    (found,) = image["findings"]
    assert found["likelihood_ratio"] > 5
    first = [answer["candidates"][0] for answer in (plain, seen, agreed)]
    assert {item["code"]["display"] for item in first} == {"肺癌"}
    assert first[0]["score"] < first[1]["score"] < first[2]["score"]
    assert "胸部CT" not in [exam["display"] for exam in seen["exams"]]
    with open_store().read() as connection:
        verify(connection)
        noted = [entry.action for entry in entries(connection)]
    assert noted.count("imaging.find") == 2
    assert noted.count("prediction") == 3


def test_what_is_shown(files: Path) -> None:
    arguments = ["diagnose", "--record", str(files / "record.json"), "--engine", "graph"]
    done = CliRunner().invoke(app, [*arguments, "--volume", str(files / "window.mha"), "--stated", "CT"])
    assert done.exit_code == 0, done.output
    for words in ("图像的份额", "似然比", "不计图像", "医师确认后", "不再建议重复", "未经注册"):
        assert words in done.output


def test_a_confirmation_needs_its_volume_and_its_nodule(files: Path) -> None:
    record = ["diagnose", "--record", str(files / "record.json"), "--engine", "graph"]
    for more, message in (
        (["--confirm", "1"], "--volume"),
        (["--volume", str(files / "window.mha"), "--stated", "CT", "--confirm", "9"], "there is no nodule 9"),
        (["--volume", str(files / "window.mha")], "modality"),
    ):
        done = CliRunner().invoke(app, [*record, *more])
        assert isinstance(done.exception, InvalidInputError)
        assert message in str(done.exception)
