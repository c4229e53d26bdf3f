"""Models of devices under test."""
