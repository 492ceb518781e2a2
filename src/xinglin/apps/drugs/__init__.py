"""Drugs: from a protein structure to a library worth synthesising."""
