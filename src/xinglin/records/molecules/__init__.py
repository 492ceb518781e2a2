"""Molecules: reading, normalising and refusing structures from outside, and the tables that list them."""
