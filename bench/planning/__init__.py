"""What is to be done, decided before any work begins."""
