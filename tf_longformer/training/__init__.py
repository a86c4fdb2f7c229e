"""Training with labels and outputs by name: functions that a model calls."""
