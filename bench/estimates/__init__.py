"""What a plan will need, said before it begins: disk, tasks and time."""
