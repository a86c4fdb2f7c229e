"""What lies between texts and a model's inputs."""
