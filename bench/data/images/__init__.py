"""From one image file to pixels; nothing here knows a data set."""
