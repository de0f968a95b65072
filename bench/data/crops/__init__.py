"""Many image files to one stack of square crops."""
