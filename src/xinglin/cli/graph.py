"""``xinglin graph``: check, show, search and import knowledge graphs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="知识图谱 The knowledge graph.", no_args_is_help=True)


@app.command()
def check() -> None:
    """检查词表和图谱的每一行。Check every row of the vocabulary and the starter graph."""
    from xinglin.apps.diagnosis import load_differential
    from xinglin.terms.vocabulary import checked

    differential = load_differential(engine="graph")
    checked(differential.vocabulary)
    knowledge = differential.knowledge
    verified = sum(row.provenance.verified for row in knowledge.relations)
    reviewed = sum(row.provenance.reviewed_by is not None for row in knowledge.relations)
    counts = {
        "征象 findings": len(differential.vocabulary.findings),
        "疾病 diseases": len(knowledge.diseases),
        "检查 examinations": len(knowledge.exams),
        "关系 relations": len(knowledge.relations),
        "  其中有开放来源 found in an open source": verified,
        "  其中经临床审阅 reviewed by a clinician": reviewed,
        "处理选项 options": len(knowledge.options),
        "禁忌 contraindications": len(knowledge.contraindications),
        "危险信号规则 red-flag rules": len(knowledge.red_flags),
        "危险信号追问 danger signs": len(knowledge.danger_signs),
    }
    for name, count in counts.items():
        typer.echo(f"{count:7d}  {name}")
    typer.echo(f"数据包版本 pack version {differential.pack.version}")


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="疾病、征象或检查 A disease, finding or examination.")],
    graph: Annotated[
        str | None, typer.Option(help="库中的图谱 A graph in the store; default: starter.")
    ] = None,
) -> None:
    """显示一个节点的所有边和来源。Show every edge of a node, with its source."""
    from rich.console import Console
    from rich.table import Table

    from xinglin.graph.view import edges_of

    table = Table(
        "头 head", "关系 relation", "尾 tail", "频度 qualifier", "来源 source", "审阅 reviewed", box=None
    )
    for triple in edges_of(name, graph):
        table.add_row(
            triple.head.display,
            triple.relation,
            triple.tail.display,
            triple.qualifier or "",
            triple.source,
            triple.reviewed_by or "未审阅",
        )
    Console().print(table)


@app.command("import")
def import_graph(
    form: Annotated[str, typer.Argument(help="xywy | 39 | baidu_acl2020 | chatdoctor | disease_ontology")],
    path: Annotated[Path, typer.Argument(help="JSONL(.gz)")],
) -> None:
    """把外部图谱导入本地库。Import another graph into the local store."""
    from xinglin.graph.database import save_graph
    from xinglin.graph.importers import FORMATS, read_graph
    from xinglin.store import open_store

    count = save_graph(open_store(), form, read_graph(form, path), source=path.name, actor="cli")
    typer.echo(f"{count} triples; 许可 licence: {FORMATS[form].licence}")


@app.command()
def pack(out: Annotated[Path, typer.Argument(help="输出文件 Output file (JSON).")]) -> None:
    """编译数据包。Compile the starter graph to a data pack."""
    from xinglin.apps.diagnosis import load_differential
    from xinglin.apps.diagnosis.pack import write_pack

    differential = load_differential(engine="graph")
    write_pack(differential.pack, out)
    typer.echo(f"{out} {differential.pack.version}")
