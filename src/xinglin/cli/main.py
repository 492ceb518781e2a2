"""The command's root: registers the verbs and turns our errors into one clear line."""

from __future__ import annotations

import sys

import typer

from xinglin import __version__
from xinglin.cli import (
    calibrate,
    challenge,
    chat,
    concepts,
    data,
    decision,
    diagnose,
    dossier,
    drugs,
    evaluate,
    explain,
    federate,
    graph,
    imaging,
    labels,
    ledger,
    ledger_chain,
    ledger_consents,
    ledger_credit,
    model,
    model_conformance,
    model_devices,
    model_experts,
    model_export,
    plugins,
    records,
    records_deidentify,
    records_manifest,
    records_quality,
    records_retention,
    registry,
    release,
    serve,
    terms,
    train,
)
from xinglin.cli.options import Provider
from xinglin.errors import XinglinError

app = typer.Typer(
    name="xinglin",
    help="杏林 Xinglin:开放医学模型共享库。An open medical model commons.\n\n"
    "未经注册,仅供研究与辅助参考。Not a registered medical device; for research and decision support only.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("diagnose")(diagnose.diagnose)
app.command("explain")(explain.explain)
app.command("decision")(decision.decision)
chat.register(app)
app.command("code")(terms.code)
app.command("evaluate")(evaluate.evaluate)
app.command("calibrate")(calibrate.calibrate)
app.command("serve")(serve.serve)
app.command("dossier")(dossier.dossier)
app.add_typer(graph.app, name="graph")
app.add_typer(ledger.app, name="audit")
ledger_chain.register(app)
app.add_typer(train.app, name="train")
registry.register(model.app)
model_devices.register(model.app)
model_conformance.register(model.app)
model_export.register(model.app)
model_experts.register(model.app)
app.add_typer(model.app, name="model")
app.add_typer(release.app, name="release")
app.add_typer(data.app, name="data")
records_deidentify.register(records.app)
records_quality.register(records.app)
records_manifest.register(records.app)
records_retention.register(records.app)
app.add_typer(records.app, name="records")
app.add_typer(federate.app, name="federate")
app.add_typer(imaging.app, name="imaging")
app.add_typer(drugs.app, name="drugs")
app.add_typer(labels.app, name="labels")
app.add_typer(concepts.app, name="concepts")
challenge.register(app)
app.add_typer(plugins.app, name="plugins")
ledger_credit.register(ledger_chain.app)
ledger_consents.register(ledger_chain.app)


@app.callback(invoke_without_command=True)
def root(
    provider: Provider = None,
    version: bool = typer.Option(False, "--version", help="显示版本 Show the version."),
) -> None:
    """Choose the device of every model; show the version when asked."""
    model_devices.use_provider(provider)
    if version:
        typer.echo(f"xinglin {__version__}")
        raise typer.Exit


def run() -> None:
    """Run the command; an error of ours is one line on stderr and exit status 2, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        app()
    except XinglinError as error:
        typer.secho(f"{error.title}: {error}", fg="red", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.secho("已中断 interrupted", fg="red", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
