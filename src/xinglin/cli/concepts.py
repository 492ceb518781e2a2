"""``xinglin concepts``: index and search the concepts of a terminology, and make a labelling scheme of some of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from xinglin.cli.options import AsJson
from xinglin.cli.written import write_whole

app = typer.Typer(
    help="术语检索与标注方案 Concepts of a terminology; labelling schemes.", no_args_is_help=True
)

Source = Annotated[Path, typer.Argument(help="RF2 发布包 An RF2 release (zip or folder), or TSV.")]


@app.command()
def index(
    source: Source,
    out: Annotated[Path, typer.Argument(help="新文件夹 A new folder.")],
    system: Annotated[str, typer.Option(help="TSV 的编码系统 Coding system of a TSV.")] = "icd10-who",
) -> None:
    """建立索引:SNOMED CT RF2,或 TSV(code, term, kind, parents)。Index a terminology."""
    from xinglin.terms.codes import SNOMEDCT
    from xinglin.terms.search_index import build_index, concepts_from_tsv, concepts_of, save_index
    from xinglin.terms.snomed import load_snomed

    if source.suffix == ".tsv":
        built = build_index(concepts_from_tsv(source, system), system)
    else:
        built = build_index(concepts_of(load_snomed(source)), SNOMEDCT)
    save_index(built, out)
    typer.echo(
        f"{len(built)} 个概念 concepts, {len(built.kind_of)} 个名称 terms: {out} ({built.digest[:12]})"
    )


@app.command()
def search(
    source: Annotated[Path, typer.Argument(help="索引文件夹 The index; an RF2 release is indexed first.")],
    text: Annotated[str, typer.Argument(help="词或短语,一个字也可以 A word or phrase.")],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="最多几条 At most so many.")] = 10,
    under: Annotated[str | None, typer.Option(help="只在此概念之下 Only under this concept.")] = None,
    as_json: AsJson = False,
) -> None:
    """检索概念。Search: the same term first, then beginnings, parts, and what is spelled alike."""
    from rich.console import Console
    from rich.table import Table

    from xinglin.terms.search import open_search

    found = open_search(source).search(text, limit, under=under)
    if as_json:
        rows = [
            {"system": m.code.system, "code": m.code.value, "display": m.code.display, "term": m.term,
             "kind": m.kind, "match": m.match, "score": m.score}
            for m in found
        ]  # fmt: skip
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    table = Table("编码 code", "名称 name", "匹配的名称 term", "匹配 match", box=None, pad_edge=False)
    for match in found:
        table.add_row(match.code.value, match.code.display, match.term, f"{match.match} {match.score:.2f}")
    Console().print(table if found else "没有找到 nothing found")


@app.command()
def scheme(
    source: Annotated[Path, typer.Argument(help="RF2 发布包 An RF2 release (zip or folder).")],
    out: Annotated[Path, typer.Argument(help="方案写到 Where the scheme goes (JSON).")],
    name: Annotated[str, typer.Option(help="方案名称 Name of the scheme.")],
    under: Annotated[
        str | None, typer.Option(help="此概念的全部下位 All descendants of this concept.")
    ] = None,
    refset: Annotated[
        str | None, typer.Option(help="此简单引用集 Members of this simple reference set.")
    ] = None,
    multi: Annotated[bool, typer.Option(help="一份病历可有多个标签 Several labels a record.")] = False,
) -> None:
    """从 RF2 生成标注方案。Make a labelling scheme of SNOMED CT concepts."""
    from xinglin.errors import InvalidInputError
    from xinglin.labels.scheme import scheme_from_refset, scheme_from_snomed, scheme_to_json
    from xinglin.terms.snomed import load_snomed

    if (under is None) == (refset is None):
        raise InvalidInputError("scheme: expected --under or --refset; give one of them")
    release = load_snomed(source)
    if refset is not None:
        made = scheme_from_refset(source, release, name=name, refset=refset, multi=multi)
    else:
        made = scheme_from_snomed(release, name=name, under=under or "", multi=multi)
    write_whole(out, json.dumps(scheme_to_json(made), ensure_ascii=False, indent=1) + "\n")
    typer.echo(f"{len(made.classes)} 类 classes: {out} ({made.digest[:12]})")
