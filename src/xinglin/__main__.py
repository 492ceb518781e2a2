"""``python -m xinglin`` is the command ``xinglin``."""

from xinglin.cli.main import run

run()
