"""Master, control, TCC, handler, modelled sequencer, process launcher, and their assembly into a cell."""
