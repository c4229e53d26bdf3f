"""Simulated devices, instruments and peripherals, offered as plugins to pluggy. May import sim and runtime."""
