"""Sentence encoders: a Hub id, a local folder, or one of the embedded `mini/…` encoders."""
