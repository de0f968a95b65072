"""One file for each published set, and for ImageFolder; and what they share."""
