"""The API's nouns as pydantic models, shared by platform, SDK and (through OpenAPI) the front end.

Imports nothing of ours. One file a noun; import from the file.
"""
