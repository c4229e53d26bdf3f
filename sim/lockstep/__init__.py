"""Virtual time for real processes: the kernel side and the wire protocol."""
