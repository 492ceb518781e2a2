"""``xinglin train molecules prior``: SMILES in, a sealed language model out, with its figures in the card."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from xinglin.measure.intervals import Figure
from xinglin.model.checkpoint import saving, seal_checkpoint
from xinglin.model.molecule.decoder import Decoder
from xinglin.model.molecule.sampling import NAME, Prior
from xinglin.model.molecule.tokens import Tokens, save_tokens
from xinglin.train.loop import Report, Trained
from xinglin.train.molecules.prior import PriorOptions, molecule_loss, train_decoder
from xinglin.train.molecules.prior_figures import judged, known_molecules
from xinglin.train.molecules.smiles import Corpus, read_corpus
from xinglin.types import DISCLAIMER, Checkpoint

SAMPLES = 10_000
SAMPLE_SEED = 1
LIMITS = (
    "只描述训练集一类的类药小分子,不含活性、毒性与可合成性;生成的分子未经合成或验证。"
    "Describes drug-like molecules such as those it was trained on; knows nothing of activity, toxicity or synthesis; what "
    "it writes has been neither made nor tested."
)


def train_prior(
    data: Path,
    out: Path,
    options: PriorOptions | None = None,
    *,
    samples: int = SAMPLES,
    threads: int | None = 1,
    report: Report | None = None,
) -> Checkpoint:
    """Train a prior, judge its samples, and write the checkpoint to ``out``, whole or not at all.

    The state of an interrupted run lies beside it in ``.NAME.training``; the same call goes on from there.

    Args:
        data: file of SMILES (:func:`xinglin.train.molecules.smiles.read_corpus`).
        out: folder of the checkpoint; one of the same name is replaced.
        options: settings; by default those of the shipped prior.
        samples: how many are drawn for the figures.
        threads: CPU threads.
        report: called after every step.

    Raises:
        InvalidInputError, MissingDataError: the file is not as it should be, or no sample is a molecule.
        TrainingError: the loss is not finite, the disk is full, or the state is of other settings.
    """
    chosen = options or PriorOptions()
    corpus = read_corpus(data)
    state = out.parent / f".{out.name}.training"
    decoder, tokens, trained = train_decoder(corpus, chosen, state, threads=threads, report=report)
    made = write_prior(decoder, tokens, corpus, data.name, chosen, trained, out, samples)
    shutil.rmtree(state, ignore_errors=True)
    return made


def write_prior(
    decoder: Decoder,
    tokens: Tokens,
    corpus: Corpus,
    source: str,
    options: PriorOptions,
    trained: Trained,
    out: Path,
    samples: int = SAMPLES,
) -> Checkpoint:
    """Judge, write and seal a trained prior."""
    prior = Prior(decoder, tokens)
    found = judged(prior.sample(samples, seed=SAMPLE_SEED), known_molecules(corpus.train))
    figures = {"validity": found.validity, "uniqueness": found.uniqueness, "novelty": found.novelty}
    metrics: dict[str, Any] = {name: figure.as_json() | {"n": figure.n} for name, figure in figures.items()}
    metrics["held_out_nats"] = {
        "value": round(molecule_loss(decoder, tokens, corpus.held_out), 4),
        "n": len(corpus.held_out),
    }
    settings = {
        **asdict(options),
        "sequences": options.steps * options.batch,
        "passes": round(options.steps * options.batch / len(corpus.train), 2),
        "wall_seconds": round(trained.seconds),
    }
    data = {
        "name": source,
        "sha256": corpus.digest,
        "records": len(corpus.train),
        "licence": "ZINC: free to use; subsets may be passed on with attribution",
        "weak": False,
    }
    with saving(out) as new:
        decoder.save(new)
        save_tokens(tokens.tokenizer, new)
        (new / "README.md").write_text(_card(figures, metrics, settings, data), encoding="utf-8")
        made = seal_checkpoint(
            new,
            name=NAME,
            kind="decoder",
            data=[data],
            settings=settings,
            seeds=[options.seed, SAMPLE_SEED],
            metrics=metrics,
            limits=LIMITS,
        )
    return Checkpoint(made.id, str(out), made.manifest)


def _card(
    figures: dict[str, Figure], metrics: dict[str, Any], settings: dict[str, Any], data: dict[str, Any]
) -> str:
    rows = [
        f"| {name} | {one.value:.4f} [{one.low:.4f}, {one.high:.4f}] | {one.n:,} |"
        for name, one in figures.items()
    ]
    loss = metrics["held_out_nats"]
    lines = [
        f"# {NAME}",
        "",
        "类药分子的语言模型(SMILES) · a language model of drug-like molecules (SMILES)",
        "",
        f"> {DISCLAIMER['zh']} {DISCLAIMER['en']}",
        "",
        f"> {LIMITS}",
        "",
        "```python",
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        f'tokenizer = AutoTokenizer.from_pretrained("{NAME}")',
        f'model = AutoModelForCausalLM.from_pretrained("{NAME}")',
        "```",
        "",
        "Llama of plain `transformers` with tied embeddings and one key-value head; no code of ours is needed. Quicker:",
        "",
        "```python",
        "from xinglin.model.molecule.sampling import Prior",
        "",
        "smiles = Prior.load().sample(1000, seed=0)",
        "```",
        "",
        "## 数据 Data",
        "",
        f"{data['name']}: {data['records']:,} molecules to train on; held out: those whose SHA-1 begins with a byte",
        f"below 0x1a. {data['licence']} (Irwin and Shoichet 2005, doi 10.1021/ci049714+).",
        "",
        "## 指标 Metrics",
        "",
        "| figure | value [95 %] | n |",
        "|---|---|---|",
        *rows,
        f"| nats a held-out molecule | {loss['value']:.3f} | {loss['n']:,} |",
        "",
        "Validity: molecules among the samples; uniqueness: different among these; novelty: not in the training set among",
        "the different. More, and how each was measured: `docs/results/molecule-prior.md`.",
        "",
        "## 设置 Settings",
        "",
        f"`{json.dumps(settings)}`",
    ]
    return "\n".join(lines) + "\n"
