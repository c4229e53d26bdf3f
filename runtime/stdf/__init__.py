"""Strict STDF V4 codec: record tables, reading, writing, checking. Pure: bytes in, values out."""
