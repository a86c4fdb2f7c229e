"""The parts of a Longformer as Keras layers of their own."""
