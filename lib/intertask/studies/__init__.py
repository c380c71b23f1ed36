"""Studies: YAML to a graph of runs, the results store, execution."""
