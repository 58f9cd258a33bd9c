"""What the scripts beside this folder are made of: Python's standard library only."""
