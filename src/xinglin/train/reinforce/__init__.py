"""Reinforcement learning towards what an oracle scores."""
