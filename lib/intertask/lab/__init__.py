"""Widgets for JupyterLab: they show what tested functions return, and have no statistics of their own."""
