"""Applications, each blind to the others."""
