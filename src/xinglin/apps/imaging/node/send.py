"""Results to a peer by C-STORE."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xinglin.apps.imaging.node.options import NodeOptions, Peer
from xinglin.errors import MissingExtraError


def send(options: NodeOptions, peer: Peer, files: Sequence[Path]) -> tuple[list[Path], str | None]:
    """Send files in one association.

    Returns:
        The files that the peer has now (success or a warning, PS3.4 B.2.3), and why others were not sent.

    Raises:
        MissingExtraError: pynetdicom is not installed.
    """
    try:
        from pydicom import dcmread
        from pydicom.uid import ExplicitVRLittleEndian
        from pynetdicom import AE
    except ModuleNotFoundError as error:
        raise MissingExtraError("A DICOM node", "imaging") from error

    entity = AE(ae_title=options.aet)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = options.timeout
    entity.connection_timeout = options.timeout
    datasets = [(path, dcmread(path)) for path in files]
    for kind in sorted({str(dataset.SOPClassUID) for _, dataset in datasets}):
        entity.add_requested_context(kind, ExplicitVRLittleEndian)
    tls = None if options.tls is None else (options.tls.client(), peer.host)
    link = entity.associate(peer.host, peer.port, ae_title=peer.aet, tls_args=tls)
    if not link.is_established:
        refused = "refused the association" if link.is_rejected else "is not reachable"
        return [], f"the peer {refused}"
    sent: list[Path] = []
    try:
        for path, dataset in datasets:
            try:
                status = link.send_c_store(dataset)
            except (ValueError, RuntimeError) as error:
                return (
                    sent,
                    f"the peer does not take this kind of object or went away: {type(error).__name__}",
                )
            code = status.get("Status")
            if code is None:
                return sent, "the peer stopped answering"
            if code != 0 and code >> 12 != 0xB:
                return sent, f"the peer refused an object with status 0x{code:04X}"
            sent.append(path)
    finally:
        if link.is_established:
            link.release()
    return sent, None
