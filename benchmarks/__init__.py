"""One file a claim: ``python -m benchmarks NAME``."""
