"""The lockstep shim: virtual time inside one Python process. Importing this package changes nothing; install() does."""
