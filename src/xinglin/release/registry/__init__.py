"""The registry: versions of models, what they were made from, and the evidence for and against each."""
