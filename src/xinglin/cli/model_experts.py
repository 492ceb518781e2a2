"""``xinglin model experts``: make a dense language model a mixture of experts; see which experts wake for whom."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xinglin.cli.options import AsJson, Seed

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from xinglin.model.decoder import Decoder
    from xinglin.model.experts.load import ExpertLoad
    from xinglin.model.experts.options import UpcycleOptions

experts_app = typer.Typer(
    help="专家混合:由稠密模型升级,看各科室的专家负荷 Mixtures of experts: upcycle a dense model, see the load.",
    no_args_is_help=True,
)


@experts_app.command("upcycle")
def upcycle(
    model: Annotated[Path, typer.Argument(help="稠密语言模型文件夹 Folder of a dense language model.")],
    out: Annotated[Path, typer.Option(help="输出文件夹 Folder of the mixture.")],
    experts: Annotated[int, typer.Option(help="每层路由专家数 Routed experts of a layer.")] = 8,
    per_token: Annotated[int, typer.Option(help="每个词元激活的专家数 Experts that a token passes.")] = 2,
    shared: Annotated[
        int, typer.Option(help="共享专家占几份,0 为无 Slices of the shared expert; 0: none.")
    ] = 1,
    split: Annotated[
        bool,
        typer.Option(help="细分专家:计算量与稠密模型相同 Fine-grained: as many active parameters as before."),
    ] = True,
    noise: Annotated[float, typer.Option(help="噪声,相对标准差 Noise, relative to each matrix.")] = 0.0,
    redraw: Annotated[
        float, typer.Option(help="重新抽取的通道比例 Share of channels drawn anew (drop-upcycling).")
    ] = 0.5,
    balance: Annotated[float, typer.Option(help="负载均衡损失权重 Weight of the balancing loss.")] = 0.01,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """把稠密模型升级为专家混合(标准类,transformers 与 vLLM 的格式)。Upcycle a dense model; then train it on.

    例 Example: xinglin model experts upcycle my-qwen3 --out my-experts --experts 8
    """
    from xinglin.ledger import append
    from xinglin.model.decoder import folder_id, open_decoder
    from xinglin.model.experts import UpcycleOptions, parameters
    from xinglin.model.experts import upcycle as made_of
    from xinglin.store import open_store

    options = UpcycleOptions(experts, per_token, shared, split, noise, redraw, balance, seed)
    source = open_decoder(model)
    mixture = made_of(source.model, options)
    counted = parameters(mixture)
    # The store opens first: a model that could not be entered into the ledger is not written.
    with open_store().write() as connection:
        _write(mixture, source, out, options)
        identity = folder_id(out)
        said = {
            "id": identity,
            "parent": source.id,
            "architecture": type(mixture).__name__,
            "total": counted.total,
            "active": counted.active,
        }
        append(connection, "model.upcycle", actor="cli", subjects=(identity, source.id), detail=said)
    if as_json:
        typer.echo(json.dumps(said | {"folder": str(out)}, ensure_ascii=False, indent=2))
        return
    typer.echo(
        f"{said['architecture']}  参数 parameters {counted.total:,}, 每词元激活 active {counted.active:,}; "
        f"原模型 dense {parameters(source.model).total:,}\n编号 id {identity[:16]}  位置 at {out}"
    )
    if noise or redraw:
        typer.echo(
            "专家已被打散,须继续训练才可使用 The experts were drawn apart: train it on before it is used "
            "(xinglin train assistant)"
        )


@experts_app.command("load")
def load(
    model: Annotated[Path, typer.Argument(help="专家混合文件夹 Folder of a mixture of experts.")],
    texts: Annotated[Path, typer.Option(help="JSONL 文本,可为 .gz JSON lines of texts.")],
    text: Annotated[str, typer.Option(help="文本字段 Field of the text.")] = "ask",
    department: Annotated[str, typer.Option(help="科室字段 Field of the department.")] = "department",
    most: Annotated[int, typer.Option(min=1, help="每科室至多几篇 Most texts of a department.")] = 100,
    out: Annotated[Path | None, typer.Option(help="HTML 报告 HTML report.")] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """各科室文本激活了哪些专家,并检验是否与科室有关。Which experts wake for which department, with a permutation test.

    例 Example: xinglin model experts load my-experts --texts questions.jsonl --out load.html
    """
    from xinglin.model.decoder import open_decoder
    from xinglin.model.experts import load_page, measure_load, quicken
    from xinglin.model.experts.load import grouped_texts

    read = grouped_texts(texts, text, department, most)
    opened = open_decoder(model)
    quicken(opened.model)
    found = measure_load(opened.model, opened.tokenizer, read, seed=seed)
    if out is not None:
        out.write_text(
            load_page(found, f"{opened.folder.name} · {opened.id[:12]} · {texts.name}"), encoding="utf-8"
        )
    if as_json:
        typer.echo(json.dumps(_as_json(found), ensure_ascii=False, indent=2))
        return
    for place, layer in enumerate(found.layers):
        typer.echo(
            f"第 {place + 1} 层 layer: 熵 entropy {layer.entropy:.3f}  峰值 peak {layer.peak:.2f}  互信息 information "
            f"{layer.information:.4f} 比特 bits (随机 by chance {layer.chance:.4f}, p = {layer.p:.3f})"
        )
    if out is not None:
        typer.echo(f"报告 report: {out}")


def register(app: typer.Typer) -> None:
    """Add ``experts`` to ``xinglin model``."""
    app.add_typer(experts_app, name="experts")


def _write(mixture: PreTrainedModel, source: Decoder, out: Path, options: UpcycleOptions) -> None:
    """Seal the mixture of a sealed model, which says what its parent was trained on; else write it unsealed."""
    from dataclasses import asdict

    from xinglin.model.checkpoint import MANIFEST, verify_checkpoint
    from xinglin.model.saving import saving
    from xinglin.train.decoder.ship import write_checkpoint

    if not (source.folder / MANIFEST).is_file():
        with saving(out) as new:
            mixture.save_pretrained(new)
            source.tokenizer.save_pretrained(new)
        return
    write_checkpoint(
        mixture,
        source.tokenizer,
        out,
        stage="upcycle",
        data=verify_checkpoint(source.folder).manifest["data"],
        settings=asdict(options),
        seeds=(options.seed,),
        metrics={},
        parents=(source.id,),
    )


def _as_json(found: ExpertLoad) -> dict[str, object]:
    layers = [
        {
            "entropy": one.entropy,
            "peak": one.peak,
            "information": one.information,
            "chance": one.chance,
            "p": one.p,
        }
        for one in found.layers
    ]
    return {
        "departments": dict(zip(found.departments, found.documents, strict=True)),
        "layers": layers,
        "choices": found.choices.tolist(),
        "permutations": found.permutations,
    }
