"""What can be learned: the catalogue of tasks, their loading and the checks before any training."""
