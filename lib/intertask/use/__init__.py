"""What a study found, put to use: models in transformers' own form, and predictions on new text."""
