"""Each headline figure beside a peer or a limit: `python -m benchmarks`. Nothing here fails."""
