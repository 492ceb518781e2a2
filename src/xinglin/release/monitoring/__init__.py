"""Monitoring: whether what a released model meets, and how it does, is still what it was released for."""
