"""A sentence asked of real cut-outs: places inside, in the scan's own frame, and a picture of the map."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from tests.apps.imaging.real_windows import real_windows
from xinglin.apps.imaging.ask import Asked, as_json, ask
from xinglin.apps.imaging.ask_picture import picture
from xinglin.cli.imaging_ask import register
from xinglin.errors import InvalidInputError
from xinglin.ledger import entries, verify
from xinglin.model.align.runtime import LungWords
from xinglin.model.shipped import SHIPPED, shipped_folder
from xinglin.model.vision.images import hounsfield
from xinglin.records.volumes.scan import Scan
from xinglin.store import open_store

pytestmark = pytest.mark.skipif(
    not (SHIPPED / "lung-words").is_dir(), reason="this package ships no lung-words"
)
AFFINE = np.array([[-0.8, 0, 0, 40.0], [0, 0.8, 0, -70.0], [0, 0, 1.0, 300.0], [0, 0, 0, 1]])


@pytest.fixture(scope="module")
def words() -> LungWords:
    return LungWords.load(shipped_folder("lung-words"))


@pytest.fixture(scope="module")
def scan(data: Path) -> Scan:
    window = hounsfield(real_windows(data, "1", 2)[1]).astype(np.int16)
    return Scan(window, np.diag([1.0, 1.0, 1.0, 1.0]), "CT", "sha256:window")


def test_the_best_places_are_in_the_scan_and_apart(words: LungWords, scan: Scan) -> None:
    found = ask(words, scan, "毛刺结节", most=3)
    assert 1 <= len(found.places) <= 3
    scores = [one.score for one in found.places]
    assert scores == sorted(scores, reverse=True)
    for one in found.places:
        z, y, x = one.voxel
        assert (one.point.x, one.point.y, one.point.z) == pytest.approx((x, y, z), abs=1e-6)
        assert all(-0.5 <= v < n for v, n in zip(one.voxel, scan.array.shape, strict=True))
    points = np.array([one.voxel for one in found.places])
    apart = [np.linalg.norm(a - b) for i, a in enumerate(points) for b in points[:i]]
    assert all(away >= 4 for away in apart)


def test_millimetres_follow_the_affine(words: LungWords, scan: Scan) -> None:
    turned = Scan(scan.array, AFFINE, "CT", "1.2.3")
    found = ask(words, turned, "nodule", most=1)
    one = found.places[0]
    z, y, x = one.voxel
    assert (one.point.x, one.point.y, one.point.z) == pytest.approx(
        (40 - 0.8 * x, -70 + 0.8 * y, 300 + z), abs=1e-4
    )
    assert one.point.frame == "1.2.3"


def test_json_says_that_scores_are_none(words: LungWords, scan: Scan) -> None:
    told = json.loads(json.dumps(as_json(ask(words, scan, "calcified nodule", most=2)), allow_nan=False))
    assert told["scores_are_probabilities"] is False
    assert [one["rank"] for one in told["places"]] == list(range(1, len(told["places"]) + 1))
    assert "templated" in told["notes"][0]["en"]
    assert "未经注册" in told["disclaimer"]["zh"]


def test_the_picture_is_warm_where_the_map_is(words: LungWords, scan: Scan) -> None:
    found = ask(words, scan, "毛刺结节", most=1)
    shown = picture(found, scan.spacing).astype(int)
    assert shown.ndim == 3
    assert shown.shape[2] == 4
    redness = shown[..., 0] - shown[..., 2]
    assert redness.max() > 60
    assert (redness < 5).mean() > 0.3
    empty = Asked("nodule", (), found.heat, found.millimetres, ())
    with pytest.raises(InvalidInputError, match="no place"):
        picture(empty, scan.spacing)


def test_what_is_no_chest_ct_is_refused(words: LungWords, scan: Scan) -> None:
    with pytest.raises(InvalidInputError, match="expected a CT"):
        ask(words, Scan(scan.array, np.eye(4), "MR", "a"), "nodule")
    with pytest.raises(InvalidInputError, match="No lung"):
        ask(words, Scan(np.full((80, 80, 80), 40, np.int16), np.eye(4), "CT", "a"), "nodule")
    with pytest.raises(InvalidInputError, match="no word"):
        ask(words, scan, "☃")


def test_the_command(scan: Scan, tmp_path: Path) -> None:
    sitk = pytest.importorskip("SimpleITK")
    path, png = tmp_path / "window.mha", tmp_path / "out" / "heat.png"
    sitk.WriteImage(sitk.GetImageFromArray(scan.array), str(path))
    app = typer.Typer()
    register(app)
    app.command("other")(lambda: None)
    arguments = ["ask", str(path), "--text", "毛刺结节", "--stated", "CT"]
    done = CliRunner().invoke(app, [*arguments, "--png", str(png)])
    assert done.exit_code == 0, done.output + repr(done.exception)
    assert "不是概率" in done.output
    assert "未经注册" in done.output
    assert png.read_bytes().startswith(b"\x89PNG")
    told = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).output)
    assert told["text"] == "毛刺结节"
    with open_store().read() as connection:
        verify(connection)
        noted = list(entries(connection))
    assert [entry.action for entry in noted] == ["imaging.ask", "imaging.ask"]
    assert "毛刺" not in str(noted)
