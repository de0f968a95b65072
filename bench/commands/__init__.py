"""What the commands beside `all` do, and how they print it."""
