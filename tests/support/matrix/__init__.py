"""Every operation of the API asked by everybody about everything: see tests/integration/access."""
