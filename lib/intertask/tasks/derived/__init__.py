"""Tasks made by rule from other data: probes from treebanks and plain text, and data sets that no entry can describe."""
