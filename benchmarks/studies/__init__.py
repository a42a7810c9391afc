"""Experiments that train networks, and take their time."""
