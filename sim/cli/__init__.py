"""The drycell command: thin; every verb calls one function of another room."""
