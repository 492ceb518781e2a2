"""A molecule as a drawing (SVG) by RDKit."""

from __future__ import annotations

import re
from typing import Any

from xinglin.errors import InvalidInputError
from xinglin.measure.markup import Markup
from xinglin.records.molecules.parsing import rdkit, read_smiles, short


def drawing(smiles: str, width: int = 260, height: int = 190) -> Markup:
    """Return the drawing of a SMILES as an SVG element on a transparent ground.

    Raises:
        InvalidInputError: not a SMILES.
    """
    rdkit()
    from rdkit.Chem.Draw import rdMolDraw2D

    molecule = read_smiles(smiles)
    if molecule is None:
        raise InvalidInputError(f"expected a valid SMILES, got {short(smiles)}")
    canvas: Any = rdMolDraw2D.MolDraw2DSVG(width, height)
    canvas.drawOptions().clearBackground = False
    rdMolDraw2D.PrepareAndDrawMolecule(canvas, molecule)
    canvas.FinishDrawing()
    text = canvas.GetDrawingText()
    # Neither XML's own head nor its namespaces belong into HTML.
    text = re.sub(r"<\?xml[^>]*\?>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"\s(?:xmlns(?::\w+)?|xml:space|version|baseProfile)='[^']*'", "", text)
    size = f"width='{width}px' height='{height}px'"
    return Markup(text.strip().replace(size, "role='img'", 1))
