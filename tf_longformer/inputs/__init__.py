"""What comes into a model: one form, checks, and default global tokens."""
