"""Tests that need a real browser and nothing of one room alone."""
