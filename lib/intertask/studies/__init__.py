"""Studies: YAML to a graph of runs, the results store, what became of each run."""
