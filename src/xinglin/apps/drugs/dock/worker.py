"""The process that docks: it gets one ligand at a time, and a fault of the program in it ends it alone."""

from __future__ import annotations

import os
import signal
from multiprocessing.connection import Connection

from xinglin.apps.drugs.dock.engine import Engine
from xinglin.apps.drugs.dock.ligand import LigandForm, ligand_form, prepare_ligand
from xinglin.apps.drugs.dock.options import DockOptions
from xinglin.apps.drugs.target.box import Box
from xinglin.errors import XinglinError


def serve(pipe: Connection, receptor: str, box: Box, options: DockOptions) -> None:
    """Say ``ready`` (or why not), then answer ligands until the other end closes."""
    # The parent decides what an interrupt means; a worker that died of it would look like a failed docking.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        engine = Engine(receptor, box, options)
        # Loads what preparation needs, so that no ligand's time is spent on it.
        prepare_ligand(ligand_form("CCO", options), options)
    except XinglinError as error:
        pipe.send(error)
        return
    pipe.send("ready")
    while True:
        try:
            form: LigandForm = pipe.recv()
        except EOFError:
            return
        pipe.send(engine.dock(form))
