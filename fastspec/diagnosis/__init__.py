"""Before training: which lines of the data a network will learn, after how many steps, and what to do about others."""

from .diagnose import Diagnosis, diagnose

__all__ = ["Diagnosis", "diagnose"]
