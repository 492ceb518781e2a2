"""Training on molecules: the SMILES prior and the models of activity and toxicity."""
