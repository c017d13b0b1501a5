"""What all routes share: problem responses, paging, event streams, request ids. Knows no room."""
