"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

WIDE = "avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimd", "i8mm"
"""Instruction sets that decide how fast a model runs, above all in 8 bits (the kernel's names)."""


def machine() -> str:
    """Return processor, its wide instructions, cores, Python, the load at this moment and the date."""
    model, has = platform.processor() or platform.machine(), ""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        fields = [line.split(":", 1) for line in info.read_text().splitlines() if ":" in line]
        told = {key.strip().lower(): value.strip() for key, value in reversed(fields)}  # of the first core
        model = told.get("model name", model)
        flags = told.get("flags", told.get("features", "")).split()
        if found := [name for name in WIDE if name in flags]:
            has = f" with {' '.join(found)}"
    load = f", load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    date = datetime.now(UTC).date().isoformat()
    return f"{model}{has}, {os.cpu_count()} cores, Python {platform.python_version()}{load}, {date}"
