"""What comes into a model: its normal form, its checks, default globals."""
