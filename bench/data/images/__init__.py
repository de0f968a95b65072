"""One image file to pixels; nothing here knows a data set."""
