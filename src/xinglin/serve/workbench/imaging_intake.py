"""Bringing images in: files sent by the browser, unpacked, listed as series and volumes, one of them opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import Request
from nicegui import app as pages
from starlette.responses import JSONResponse, Response

from xinglin.apps.imaging.grey import Window
from xinglin.errors import InputTooLargeError, InvalidInputError, XinglinError
from xinglin.records.archive import read_one
from xinglin.records.volumes.door import VOLUME_SUFFIXES, read_scan
from xinglin.records.volumes.files import open_volume
from xinglin.records.volumes.scan import Scan
from xinglin.records.volumes.series import Series, find_series, read_series
from xinglin.records.volumes.unpack import unpack
from xinglin.serve.workbench.desk import Desk
from xinglin.serve.workbench.imaging_planes import PLANES, heat_picture, picture
from xinglin.serve.workbench.imaging_study import MAX_UPLOAD, Upload
from xinglin.store import Store
from xinglin.types import Volume

SLICE = "/imaging/slice/{key}/{plane}/{index}.png"
HEAT = "/imaging/heat/{key}/{plane}/{index}.png"
UPLOAD = "/imaging/upload/{key}"
_KEPT = {"cache-control": "private, max-age=600"}
"""So that a slice fetched ahead is not fetched again; the browser's cache is the reader's own."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that can be opened: a DICOM series, a file that is a volume by itself, or a volume of the archive."""

    name: str
    series: Series | None = None
    path: Path | None = None
    volume: Volume | None = None

    def read(self, stated: str | None) -> Scan:
        """Read it into memory; raises as ``read_scan``."""
        if self.series is not None:
            return read_series(self.series, stated=stated)
        if self.volume is not None:
            return open_volume(self.volume)
        if self.path is None:
            raise InvalidInputError("nothing was chosen")
        return read_scan(self.path, stated=stated)


def choices(upload: Upload) -> tuple[list[Choice], list[str]]:
    """Unpack what is packed and list what can be opened: stacks before the rest, the longest first.

    Returns:
        The choices, and a message for every file that is nothing of the kind.

    Raises:
        InvalidInputError, InputTooLargeError: an archive is damaged, protected or too large.
    """
    folder = Path(upload.folder.name)
    for at, archive in enumerate(sorted(folder.rglob("*.zip"))):
        (folder / f"z{at:03}").mkdir()
        unpack(archive, folder / f"z{at:03}")
        archive.unlink()
    files = [path for path in sorted(folder.rglob("*")) if path.name.lower().endswith(VOLUME_SUFFIXES)]
    found = [Choice(path.name, path=path) for path in files]
    series, problems = find_series(folder)
    own = {path.name for path in files}
    told = [problem for problem in problems if problem.split(":", 1)[0] not in own]
    series.sort(key=lambda one: (not one.may_stack, -len(one.files)))
    return [*found, *(Choice(one.description or one.number or "", series=one) for one in series)], told


def archived(store: Store, dataset: str, record: str, user: str) -> list[Choice]:
    """Return the volumes of a record of the archive, read for care: grant and consent are checked, the ledger notes it.

    Raises:
        UnknownNameError: no such data set or record.
        NotPermittedError: no grant or no consent is in force.
        InvalidInputError: the record holds no volume.
    """
    held = read_one(store, dataset, record, purpose="care", actor=user)
    if not held.volumes:
        raise InvalidInputError("这条记录没有体数据。The record holds no volume")
    count = len(held.volumes)
    return [
        Choice(record if count == 1 else f"{record} · {at}/{count}", volume=volume)
        for at, volume in enumerate(held.volumes, 1)
    ]


def register() -> None:
    """Register the addresses of slices and of files sent."""
    for path in (SLICE, HEAT, UPLOAD):
        pages.remove_route(path)

    @pages.get(SLICE)
    def slice_(request: Request, key: str, plane: str, index: int, c: float, w: float) -> Response:
        return _answered(
            lambda desk, user: picture(_scan(desk, key, user), _plane(plane), index, Window(c, w)), request
        )

    @pages.get(HEAT)
    def heat(request: Request, key: str, plane: str, index: int) -> Response:
        def made(desk: Desk, user: str) -> bytes:
            study = desk.studies.get(key, user)
            if study.heat is None:
                raise InvalidInputError("the study has no map")
            return heat_picture(study.heat, study.scan, _plane(plane), index)

        return _answered(made, request)

    @pages.put(UPLOAD)
    async def upload(request: Request, key: str, name: str) -> Response:
        try:
            held = request.state.desk.studies.upload(key, request.state.user)
            target = held.placing.place(name)
            with target.open("wb") as written:
                async for part in request.stream():
                    held.bytes += len(part)
                    if held.bytes > MAX_UPLOAD:
                        raise InputTooLargeError(f"an upload: at most {MAX_UPLOAD // 2**30} GiB")
                    written.write(part)
        except XinglinError as error:
            return JSONResponse({"detail": str(error)}, error.status)
        return Response(status_code=204)


def _answered(make: Any, request: Request) -> Response:
    try:
        return Response(make(request.state.desk, request.state.user), media_type="image/png", headers=_KEPT)
    except XinglinError as error:
        return JSONResponse({"detail": str(error)}, error.status)


def _scan(desk: Desk, key: str, user: str) -> Scan:
    return desk.studies.get(key, user).scan


def _plane(name: str) -> Any:
    if name not in PLANES:
        raise InvalidInputError(f"plane: expected one of {', '.join(PLANES)}")
    return name
