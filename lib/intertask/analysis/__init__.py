"""From the results store to the reader: read what a study left, test it, draw it. Nothing here trains or writes."""
