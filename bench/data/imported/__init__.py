"""Features that were made elsewhere: their files, and which crop each row belongs to."""
