"""The SDK: one resource class a file, the only user of httpx on this side of the API."""
