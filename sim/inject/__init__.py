"""Code that enters foreign processes. Standard library only; imports nothing of drycell. MIT licence."""
