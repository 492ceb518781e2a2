"""Lung nodules from labels that only say yes or no."""
