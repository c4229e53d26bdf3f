"""Topics, message types, dialects, and the state tables of sequencer, control, master and handler.

Pure data and pure functions: no clock, no socket, no thread.
"""
