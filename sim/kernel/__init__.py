"""Clock, event loop on that clock, random streams and journal: the ground everything else stands on."""
