"""The listening side of a node: C-ECHO and C-STORE of CT images, from AE titles it knows, within bounds."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from typing import Any

from xinglin.apps.imaging.node.inbox import Inbox
from xinglin.apps.imaging.node.options import NodeOptions
from xinglin.errors import BusyError, InputTooLargeError, InvalidInputError, MissingExtraError

log = logging.getLogger("xinglin.imaging.node")
SUCCESS, OUT_OF_RESOURCES, CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xC000
"""Statuses of C-STORE (PS3.4 B.2.3)."""
OVERHEAD = 1024**2
"""Bytes of a message beyond its data set."""


def listen(options: NodeOptions, inbox: Inbox) -> Any:
    """Open the port and serve it in threads; returns the server, to be shut down by its ``shutdown``.

    Raises:
        MissingExtraError: pynetdicom is not installed.
        OSError: the port is taken.
    """
    try:
        from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, evt
        from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made when it is imported
            CTImageStorage,
            EnhancedCTImageStorage,
            Verification,
        )
    except ModuleNotFoundError as error:
        raise MissingExtraError("A DICOM node", "imaging") from error

    entity = AE(ae_title=options.aet)
    entity.require_called_aet = True
    entity.require_calling_aet = list(options.callers)
    entity.maximum_associations = options.max_connections
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = options.timeout
    entity.add_supported_context(Verification)
    for kind in (CTImageStorage, EnhancedCTImageStorage):
        entity.add_supported_context(kind, ALL_TRANSFER_SYNTAXES)
    received: defaultdict[Any, int] = defaultdict(int)

    def store(event: Any) -> int:
        received.pop(event.assoc, None)
        return _kept(inbox, event)

    def count(event: Any) -> None:
        # A message is held in memory until it is whole: one that outgrows the bound ends its connection.
        received[event.assoc] += len(event.data)
        if received[event.assoc] > options.max_file + OVERHEAD:
            received[event.assoc] = -(2**62)
            log.warning("an image outgrew %d bytes: connection ended", options.max_file)
            threading.Thread(target=event.assoc.abort, daemon=True).start()

    def gone(event: Any) -> None:
        received.pop(event.assoc, None)

    return entity.start_server(
        (options.host, options.port),
        block=False,
        ssl_context=None if options.tls is None else options.tls.server(),
        evt_handlers=[
            (evt.EVT_C_STORE, store),
            (evt.EVT_DATA_RECV, count),
            (evt.EVT_CONN_CLOSE, gone),
            (evt.EVT_REJECTED, lambda _: log.warning("a connection was refused: unknown AE title or full")),
        ],
    )


def _kept(inbox: Inbox, event: Any) -> int:
    try:
        inbox.keep(event.encoded_dataset())
    except (BusyError, InputTooLargeError) as error:
        log.warning("an image was refused: %s", error)
        return OUT_OF_RESOURCES
    except InvalidInputError as error:
        log.warning("an image was refused: %s", error)
        return CANNOT_UNDERSTAND
    except OSError as error:
        log.error("an image was refused: the spool cannot be written: %s", error.strerror)
        return OUT_OF_RESOURCES
    return SUCCESS
