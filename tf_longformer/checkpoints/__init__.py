"""Checkpoint files: their names, their formats, what fits and what doesn't.

NumPy arrays under names, on either side; no backend is needed.
"""
