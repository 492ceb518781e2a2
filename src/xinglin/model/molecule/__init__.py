"""Molecules as a language and as features: tokens, decoder, sampling, fingerprints, activity models."""
