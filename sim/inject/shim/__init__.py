"""The lockstep shim: virtual time inside one Python process. Importing it changes nothing; install() does."""
