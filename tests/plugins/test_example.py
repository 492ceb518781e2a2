"""The worked example, installed by pip from its folder and run through the command line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from xinglin.cli import plugins, records
from xinglin.errors import InvalidInputError, MissingDataError, PluginError, UnknownNameError
from xinglin.ledger import entries, give_consent, grant, verify
from xinglin.records import read as read_records
from xinglin.store import open_store

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "xinglin-plugin-example"
CARDS = "id: 7\nsubject: p3\n胸痛3天,伴出汗。\n\nid: 8\n\n\nid: 9\n宝宝发热咳嗽\n两天\n"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip installed the example."""
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(EXAMPLE, folder / "source")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--no-build-isolation",
    ]
    command += ["--disable-pip-version-check", "--target", str(folder / "site"), str(folder / "source")]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "site"


@pytest.fixture
def there(site: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(site))
    return site


def run(*arguments: str) -> Result:
    return CliRunner().invoke(plugins.app, arguments)


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_listing_imports_no_plugin(site: Path) -> None:
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from xinglin.cli.plugins import app\n"
        "print(CliRunner().invoke(app, ['list']).output)\n"
        "print([name for name in sys.modules if name.startswith('xinglin_plugin')])\n"
    )
    path = f"{site}:{ROOT / 'src'}"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": path}
    )
    *listed, loaded = done.stdout.strip().splitlines()
    assert [line.split()[:4] for line in listed if "xinglin-plugin-example" in line] == [
        ["readers", "cards", "xinglin-plugin-example", "1.0.0"],
        ["models", "department-words", "xinglin-plugin-example", "1.0.0"],
        ["oracles", "fraction-sp3", "xinglin-plugin-example", "1.0.0"],
        ["metrics", "reciprocal-rank", "xinglin-plugin-example", "1.0.0"],
    ]
    assert loaded == "[]"


def test_without_it_nothing_is_there() -> None:
    assert "未安装插件" in run("list").output
    error = run("check", "readers", "cards").exception
    assert isinstance(error, UnknownNameError)
    assert "installed: none" in str(error)


def test_the_reader_takes_records_in(there: Path, tmp_path: Path) -> None:
    source = tmp_path / "ward.cards"
    source.write_text(CARDS, encoding="utf-8")
    arguments = ["intake", str(source), "--dataset", "ward", "--format", "plugin:cards"]
    done = CliRunner().invoke(records.app, arguments)
    assert done.exit_code == 0, done.exception
    with open_store().read() as connection:
        verify(connection)
        told = json.dumps([entry.detail for entry in entries(connection)])
    assert "plugin:cards" in told
    with open_store().write() as connection:
        give_consent(connection, "ward", subject=None, purpose="care", basis="b", by="s")
        grant(connection, "ward", grantee="me", purpose="care", by="s")
    found = list(read_records(open_store(), "ward", purpose="care", actor="me"))
    assert [(one.id, one.subject, one.text) for one in found] == [
        ("7", "p3", "胸痛3天,伴出汗。"),
        ("9", None, "宝宝发热咳嗽\n两天"),
    ]
    wrong = CliRunner().invoke(records.app, [*arguments[:-1], "plugin:crads"]).exception
    assert "did you mean cards" in str(wrong)


def test_the_model_predicts_and_the_metric_measures(there: Path, tmp_path: Path) -> None:
    assert "接口 interface 1" in run("check", "models", "department-words").output
    data, out = tmp_path / "cases.jsonl", tmp_path / "predictions.jsonl"
    cases = [("咳嗽发热", "内科"), ("骨折了", "外科"), ("宝宝咳,发热", "儿科"), ("摔了一跤,伤口深", "外科")]
    lines = [{"id": str(n), "text": text, "truth": [label]} for n, (text, label) in enumerate(cases)]
    data.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert (
        "未经本项目验证" in run("predict", "department-words", "--data", str(data), "--out", str(out)).output
    )
    found = read(out)
    assert [one["ranked"][0]["label"] for one in found] == ["内科", "外科", "内科", "外科"]
    assert sum(one["probability"] for one in found[0]["ranked"]) == pytest.approx(1.0, abs=1e-5)
    told = json.loads(run("measure", "reciprocal-rank", "--predictions", str(out), "--json").output)
    assert told[0]["value"] == pytest.approx((1 + 1 + 1 / 2 + 1) / 4)
    assert told[0]["low"] <= told[0]["value"] <= told[0]["high"]
    assert (told[0]["n"], told[0]["arm"]) == (4, "plugin:department-words")
    with open_store().read() as connection:
        (entry,) = [one for one in entries(connection) if one.action == "plugin.predict"]
    assert entry.detail == {
        "plugin": "department-words", "distribution": "xinglin-plugin-example", "version": "1.0.0", "cases": 4
    }  # fmt: skip


def test_the_oracle_scores_molecules_but_no_weapons(there: Path, tmp_path: Path) -> None:
    pytest.importorskip("rdkit")
    sarin = "CC(C)OP(C)(F)=O"
    data, out = tmp_path / "m.smi", tmp_path / "scores.csv"
    data.write_text(f"CCO ethanol\nc1ccccc1\n{sarin}\n")
    done = run("score", "fraction-sp3", "--data", str(data), "--out", str(out))
    assert done.exit_code == 0, done.exception
    assert out.read_text().splitlines() == [
        "smiles,score",
        "CCO,1.0",
        "c1ccccc1,0.0",
        f"{sarin},",
    ]
    assert "拒绝 refused 1" in done.output


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("check", "oracle", "x"), UnknownNameError),
        (("predict", "department-words", "--data", "nowhere", "--out", "o"), MissingDataError),
        (("predict", "department-words", "--data", "bad", "--out", "o"), InvalidInputError),
        (("measure", "reciprocal-rank", "--predictions", "bad"), InvalidInputError),
        (("measure", "reciprocal-rank", "--predictions", "empty"), InvalidInputError),
        (("measure", "reciprocal-rang", "--predictions", "bad"), InvalidInputError),
    ],
)
def test_what_is_wrong_is_said(
    arguments: tuple[str, ...],
    error: type[Exception],
    there: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad").write_text('{"text": 1, "truth": []}\n')
    Path("empty").write_text("")
    assert isinstance(run(*arguments).exception, error)


def write_plugin(folder: Path, distribution: str, group: str, code: str) -> None:
    """A distribution as pip would leave it: one module, and metadata with one entry point."""
    module = distribution.replace("-", "_")
    (folder / f"{module}.py").write_text(code)
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[xinglin.{group}]\nbroken = {module}:made\n")


@pytest.mark.parametrize(
    ("group", "code", "message"),
    [
        ("metrics", "raise RuntimeError('no licence')", "cannot be imported: RuntimeError: no licence"),
        ("metrics", "made = lambda *a: 1.0", "does not state its interface"),
        ("metrics", "def made(*a): return 1.0\nmade.xinglin_api = 99", "written for interface 99"),
        ("metrics", "class Made: xinglin_api = 1\nmade = Made()", "expected something to call"),
        ("metrics", "def made(*a): return 1 / 0\nmade.xinglin_api = 1", "failed: ZeroDivisionError"),
        ("metrics", "def made(*a): return 'x'\nmade.xinglin_api = 1", "expected a finite number"),
        ("metrics", "def made(*a): return float('nan')\nmade.xinglin_api = 1", "expected a finite number"),
        ("models", "def made(): return 3\nmade.xinglin_api = 1", "expected a model to call"),
        ("models", "def made(): return lambda t: []\nmade.xinglin_api = 1", "expected 1 answers, got 0"),
        ("models", "def made(): return lambda t: [{'a': 2.0}]\nmade.xinglin_api = 1", "in \\[0, 1\\]"),
        ("models", "def made(): return lambda t: [{'a': .9, 'b': .9}]\nmade.xinglin_api = 1", "more than 1"),
        ("oracles", "def made(): return lambda s: [1.0, 2.0]\nmade.xinglin_api = 1", "expected 1 finite"),
        ("oracles", "def made(): return lambda s: [float('inf')]\nmade.xinglin_api = 1", "expected 1 finite"),
        ("readers", "def made(path): return object()\nmade.xinglin_api = 1", "its reader lacks resumes"),
        ("readers", "def made(path): raise OSError('王小明')\nmade.xinglin_api = 1", "failed: OSError$"),
    ],
)  # fmt: skip
def test_a_failing_plugin_is_an_error_that_names_it(
    group: str, code: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_plugin(tmp_path, f"bad-{abs(hash((group, code)))}", group, code)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(PluginError, match=message) as caught:
        use(group)
    assert "plugin 'broken'" in str(caught.value)
    assert "bad-" in str(caught.value)
    assert "王小明" not in str(caught.value)


def use(group: str) -> None:
    if group == "metrics":
        from xinglin.measure.plugged import measured

        measured("broken", [(["a"], ["a"])])
    elif group == "models":
        from xinglin.model.plugged import PluggedModel

        PluggedModel("broken")(["text"])
    elif group == "oracles":
        from xinglin.train.reinforce.plugged import PluggedOracle

        PluggedOracle("broken")(["C"])
    else:
        from xinglin.records.readers.detect import open_reader

        list(open_reader("plugin:broken", ".").units())


def test_one_name_of_two_distributions_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("first-one", "second-one"):
        write_plugin(tmp_path, name, "metrics", "def made(*a): return 1.0\nmade.xinglin_api = 1")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(PluginError, match=r"first-one 1\.0, second-one 1\.0"):
        use("metrics")
