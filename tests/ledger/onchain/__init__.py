"""The ledger on an EVM chain."""
