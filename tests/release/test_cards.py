"""Cards say what the manifests say; those that are committed are up to date."""

from __future__ import annotations

from pathlib import Path

from xinglin.model.checkpoint import verify_checkpoint
from xinglin.model.shipped import shipped_folder
from xinglin.records.manifest import Consent, Counts, build_manifest, manifest_digest
from xinglin.release.cards import UNKNOWN, dataset_card, main, model_card, shipped_cards
from xinglin.types import DISCLAIMER

ROOT = Path(__file__).resolve().parents[2]
CARDS = ROOT / "docs" / "cards"


def test_the_committed_cards_are_up_to_date() -> None:
    made = shipped_cards()
    assert len(made) >= 5
    stale = [name for name, text in made.items() if (CARDS / name).read_text(encoding="utf-8") != text]
    assert stale == [], "run: python -m xinglin.release.cards docs/cards"


def test_a_model_card_holds_the_manifest() -> None:
    manifest = verify_checkpoint(shipped_folder("lung-nodules")).manifest
    card = model_card(manifest)
    for told in (manifest["id"], manifest["limits"], DISCLAIMER["zh"], DISCLAIMER["en"]):
        assert told in card
    for one in manifest["data"]:
        assert one["name"] in card
        assert one["sha256"][:16] in card
    for name, figure in manifest["metrics"].items():
        assert f"| {name} | {figure['value']:.4g} |" in card


def test_what_is_not_stated_is_not_guessed() -> None:
    bare = {"name": "x", "id": "0" * 64, "files": {}, "data": [{"name": "a|b"}]}
    card = model_card(bare)
    assert f"| a\\|b | {UNKNOWN} | {UNKNOWN} | {UNKNOWN} |" in card
    assert card.count(UNKNOWN) >= 6


def test_a_dataset_card_holds_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a\n1\n")
    made = build_manifest(
        tmp_path,
        name="ward",
        licence="CC-BY-4.0",
        consent=Consent(basis="open licence"),
        counts=Counts(records=1),
    )
    card = dataset_card(made)
    assert manifest_digest(made) in card
    assert "| 记录 records | 1 |" in card
    assert f"| 受试者 subjects | {UNKNOWN} |" in card
    assert made.files[0].sha256 in card


def test_the_command_writes_them(tmp_path: Path) -> None:
    assert main([str(tmp_path / "cards")]) == 0
    assert {path.name for path in (tmp_path / "cards").iterdir()} == set(shipped_cards())
    assert main([]) == 2
