"""What was promised last time: one store for everything that outlives a run."""
