"""The model card: what a checkpoint is, what it was trained on, and what it must not be used for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from xinglin.types import DISCLAIMER

KIND = {
    "encoder": "文本编码器(掩码语言模型) · text encoder, masked language model",
    "classifier": "文本分类器 · text classifier",
}


class Described(Protocol):
    """Anything that has a manifest entry."""

    def as_json(self) -> dict[str, Any]:
        """Return name, records, licence and whether its labels are weak."""
        ...


@dataclass(frozen=True)
class Inherited:
    """A data set that an earlier step was trained on, as its manifest has it."""

    body: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return the entry as it stands there."""
        return dict(self.body)


def write_card(
    folder: Path,
    name: str,
    kind: str,
    data: Iterable[Described],
    metrics: Mapping[str, Any],
    notes: Iterable[str] = (),
) -> None:
    """Write ``README.md`` into a checkpoint's folder."""
    loader = "AutoModelForMaskedLM" if kind == "encoder" else "AutoModelForSequenceClassification"
    rows = [source.as_json() for source in data]
    lines = [
        f"# {name}",
        "",
        KIND[kind],
        "",
        f"> {DISCLAIMER['zh']} {DISCLAIMER['en']}",
        "",
        "```python",
        f"from transformers import AutoTokenizer, {loader}",
        "",
        f'tokenizer = AutoTokenizer.from_pretrained("{name}")',
        f'model = {loader}.from_pretrained("{name}")',
        "```",
        "",
        "ModernBERT of plain `transformers`; no code of ours is needed and none is run. What it was made of and how is"
        " in `manifest.json`, digests included.",
        "",
        "## 数据 Data",
        "",
        "| set | records | licence | labels |",
        "|---|---|---|---|",
        *(
            f"| {row['name']} | {row['records']:,} | {row['licence']} | {'weak' if row['weak'] else ''} |"
            for row in rows
        ),
        "",
        "## 指标 Metrics",
        "",
        "| figure | value |",
        "|---|---|",
        *(f"| {key} | {value} |" for key, value in metrics.items()),
        "",
        *notes,
    ]
    (folder / "README.md").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
