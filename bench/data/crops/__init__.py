"""From many image files to one stack of square crops."""
