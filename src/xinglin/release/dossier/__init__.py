"""The dossier: what a regulator asks of a model, answered from evidence alone."""
