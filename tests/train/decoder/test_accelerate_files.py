"""The launch files of accelerate are ones that accelerate reads, and say what they are for."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("accelerate")
FILES = sorted((Path(__file__).resolve().parents[3] / "deploy" / "accelerate").glob("*.yaml"))


def test_accelerate_reads_every_file() -> None:
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.utils import DistributedType

    assert len(FILES) == 3
    found = {path.stem: load_config_from_file(str(path)) for path in FILES}
    assert found["fsdp"].distributed_type == DistributedType.FSDP
    assert found["deepspeed-zero3"].distributed_type == DistributedType.DEEPSPEED
    assert found["two-processes-cpu"].distributed_type == DistributedType.MULTI_CPU
    assert found["two-processes-cpu"].use_cpu


def test_the_settings_of_fsdp_are_known_to_accelerate() -> None:
    import yaml
    from accelerate.commands.launch import launch_command_parser

    known = {action.dest for action in launch_command_parser()._actions}
    for path in FILES:
        body = yaml.safe_load(path.read_text("utf-8"))
        for part in ("fsdp_config", "deepspeed_config"):
            unknown = {key for key in body.get(part, {}) if key not in known}
            assert not unknown, path.name
