"""The tests mirror the rooms: tests/forum proves forum/."""
