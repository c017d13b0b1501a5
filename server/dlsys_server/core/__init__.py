"""Settings, database, object store, events, errors, clock, ids. Knows no box of the product."""
