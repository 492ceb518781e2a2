"""``xinglin chat`` and ``xinglin assistant``: the assistant in the terminal, and its index of documents."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xinglin.cli.options import AsJson, Engine, Ledger, Model, Profile

if TYPE_CHECKING:
    from xinglin.apps.assistant.assistant import Assistant, Turn
    from xinglin.apps.assistant.conversation import Message

LanguageModel = Annotated[
    str | None,
    typer.Option(
        help="语言模型:文件夹或 OpenAI 兼容服务的网址;空:抽取式回答 Folder of a causal language model, or URL of an "
        "OpenAI-compatible server; empty: extractive answers."
    ),
]
AllowRemote = Annotated[
    bool,
    typer.Option("--allow-remote", help="允许文字离开本机 Let patients' words leave this machine."),
]
ENDS = ("exit", "quit", "退出", "再见")
assistant_app = typer.Typer(
    help="问答助手的文档索引 The assistant's index of documents.", no_args_is_help=True
)


def chat(
    once: Annotated[
        str | None, typer.Option(help="只问一句,'-' 读标准输入 One question; '-' reads stdin.")
    ] = None,
    as_json: AsJson = False,
    language_model: LanguageModel = None,
    allow_remote: AllowRemote = False,
    model: Model = None,
    engine: Engine = None,
    profile: Profile = None,
    ledger: Ledger = True,
) -> None:
    """医学问答:有来源,无剂量。Ask medical questions: answers with sources, no doses."""
    from xinglin.apps.assistant.conversation import Message
    from xinglin.cli.input import read_text
    from xinglin.errors import InvalidInputError

    if as_json and once is None:
        raise InvalidInputError("--json answers one question: give it with --once TEXT")
    assistant = _assistant(language_model, allow_remote, model, engine, profile, ledger)
    if once is not None:
        turn = _answer(assistant, [Message("user", read_text(once))], shown=not as_json)
        if as_json:
            typer.echo(json.dumps({"text": turn.text} | turn.as_json(), ensure_ascii=False, indent=2))
        return
    typer.echo("问一个医学问题;输入“退出”结束。Ask a medical question; “exit” ends.")
    said: list[Message] = []
    while True:
        try:
            words = input("\n> ").strip()
        except EOFError:
            return
        if words.lower() in ENDS:
            return
        if words:
            said.append(Message("user", words))
            said.append(Message("assistant", _answer(assistant, said, shown=True).text))


@assistant_app.command("index")
def index(
    folder: Annotated[Path, typer.Argument(help="文档文件夹 Folder of .md, .txt and .jsonl files.")],
    with_encoder: Annotated[
        bool,
        typer.Option(
            "--encoder/--no-encoder", help="加文本编码器的向量 Add the text encoder's vectors to BM25."
        ),
    ] = True,
    model: Model = None,
) -> None:
    """为本机文档建索引,替换原有索引。Index local documents; an earlier index is replaced."""
    import hashlib

    from xinglin.apps.assistant.documents import read_documents
    from xinglin.apps.assistant.index import build_index, save_index
    from xinglin.apps.diagnosis import load_differential
    from xinglin.ledger import append
    from xinglin.serve.chat_open import index_folder
    from xinglin.serve.chat_tools import passage_encoder
    from xinglin.store import open_store

    encoder = passage_encoder(load_differential(model)) if with_encoder else None
    built = build_index(read_documents(folder), encoder)
    target = index_folder()
    manifest = save_index(built, target)
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    with open_store().write() as connection:
        append(
            connection,
            "assistant.index",
            actor="cli",
            subjects=(digest,),
            detail={"documents": len(manifest["documents"]), "passages": manifest["passages"]},
        )
    how = "BM25 + 文本编码器 encoder" if encoder is not None else "BM25"
    typer.echo(
        f"已索引 indexed: {len(manifest['documents'])} 份文档 documents, {manifest['passages']} 段 passages ({how})\n"
        f"位置 at: {target}"
    )


def register(app: typer.Typer) -> None:
    """Add both verbs to the command."""
    app.command("chat")(chat)
    app.add_typer(assistant_app, name="assistant")


def _assistant(
    language_model: str | None,
    allow_remote: bool,
    model: Path | None,
    engine: str | None,
    profile: Path | None,
    ledger: bool,
) -> Assistant:
    from xinglin.apps.diagnosis import load_differential
    from xinglin.cli.input import engine as known_engine
    from xinglin.serve.chat_open import open_assistant, open_writer
    from xinglin.store import open_store

    writer = None if language_model is None else open_writer(language_model, allow_remote=allow_remote)
    differential = load_differential(model, profile, known_engine(engine))
    return open_assistant(differential, open_store() if ledger else None, writer, actor="cli")


def _answer(assistant: Assistant, said: list[Message], *, shown: bool) -> Turn:
    from xinglin.apps.assistant.conversation import conversation
    from xinglin.serve.chat_text import bibliography

    asked = conversation(said)
    turn = assistant.turn(asked)
    for sentence in assistant.stream(asked, turn):
        if shown:
            urgent = sentence.kind == "emergency"
            typer.secho(sentence.shown(), fg="red" if urgent else None, bold=urgent)
            sys.stdout.flush()
    if shown:
        for line in bibliography(turn):
            typer.secho(line, dim=True)
    return turn
