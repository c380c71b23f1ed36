"""Tasks made by rule from other data: probes from treebanks and text, and data sets that no entry can describe."""
