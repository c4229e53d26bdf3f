"""The "drycell" hookspec: how device models, instruments, faults and oracles are found."""
