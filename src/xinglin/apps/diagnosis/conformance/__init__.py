"""Conformance vectors: a small frozen pack, inputs, and the exact outputs every runtime must give."""
