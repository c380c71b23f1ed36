"""What notebooks and the command show of a task before training, and of a run after it; figures included."""
