"""Both verbs as a user types them; through the root."""

from __future__ import annotations

import csv
import json
import lzma

import numpy as np
from typer.testing import CliRunner

from xinglin.cli.main import app
from xinglin.errors import InvalidInputError

runner = CliRunner()


def test_predict_then_evaluate(tmp_path):
    generator = np.random.default_rng(0)
    images = np.clip(generator.normal(10, 2, (4, 20, 32, 32)), 0, 88).astype(np.uint8)
    for i in (1, 3):
        images[i, 7:13, 13:19, 13:19] = 64
    with lzma.open(tmp_path / "windows.npy.xz", "wb") as file:
        np.save(file, images)
    with (tmp_path / "windows_inputs.csv").open("w", newline="") as file:
        rows = [(f"w{i}", 100.5, -20, 7, -1) for i in range(4)]
        csv.writer(file).writerows([("window_id", "world_x", "world_y", "world_z", "dir_xy"), *rows])
    out = tmp_path / "predictions.csv"
    said = runner.invoke(app, ["imaging", "predict-windows", "--inputs", str(tmp_path), "--out", str(out)])
    assert said.exit_code == 0, said.output
    with out.open() as file:
        found = list(csv.DictReader(file))
    assert [row["window_id"] for row in found] == ["w0", "w1", "w2", "w3"]
    for row in found:
        assert 0 <= float(row["probability"]) <= 1
        assert abs(float(row["world_x"]) - (100.5 - float(row["x"]))) < 2e-3
        assert abs(float(row["world_y"]) - (-20 - float(row["y"]))) < 2e-3
        assert abs(float(row["world_z"]) - (7 + float(row["z"]))) < 2e-3
    for i in (1, 3):
        place = [float(found[i][axis]) for axis in "zyx"]
        assert np.linalg.norm(np.subtract(place, (9.5, 15.5, 15.5))) < 1.5
    truth = tmp_path / "truth.csv"
    head = "window_id,label,nodule_z,nodule_y,nodule_x,diameter_mm,mask_voxels\n"
    truth.write_text(head + "w0,0,,,,,\nw1,1,9.5,15.5,15.5,6,216\nw2,0,,,,,\nw3,1,9.5,15.5,15.5,6,216\n")
    asked = ["evaluate", "nodule-windows", "--data", str(out), "--truth", str(truth)]
    body = json.loads(runner.invoke(app, [*asked, "--json"]).stdout)
    assert (body["windows"], body["positives"]) == (4, 2)
    assert body["figures"]["hit_rate"]["value"] == 1.0
    shown = runner.invoke(app, asked).stdout
    assert "命中率" in shown
    assert "against masks" in shown
    assert "95 %" in shown


def test_a_precision_that_does_not_exist(tmp_path):
    asked = ["imaging", "predict-windows", "--inputs", str(tmp_path), "--out", "x.csv", "--precision", "int4"]
    said = runner.invoke(app, asked)
    assert isinstance(said.exception, InvalidInputError)
